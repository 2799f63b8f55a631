// Digits: two networks side by side look at one drawing.
const written = number => number.toFixed(4).replace("-", "−");
const place = find(".unit"); // where the unit pointed at is explained: beside the sheet, or below its layer
let shift = [0, 0], pointed = null, drawn = false, started = false;

const paper = sheet(find(".paper canvas"), () => look(asked), status, { pen: 22 });
const panels = [...element.querySelectorAll(".network")].map(panel);
const asked = () => ({ drawing: paper.url(), shift, networks: panels.map(panel => panel.select.value) });
const look = newest("look", server.look, show);
const explain = newest("unit", server.unit, tell);
choices(panels.map(panel => panel.select), server.networks, networks => {
  if (!started) {
    // Beside the best network the fully connected one, if it is there.
    panels[1].select.selectedIndex = Math.max(networks.findIndex(([, label]) => label.startsWith("fc-matched")), 0);
    started = true;
  }
  look(asked);
});

function panel(root, number) {
  const select = make("select", { ariaLabel: `network ${number + 1}` });
  const answer = make("p", { className: "answer" }), bars = make("div", { className: "bars" }), layers = make("div");
  for (let digit = 0; digit < 10; digit++)
    bars.append(make("div", {}, make("div", { className: "bar" }, make("i")), `${digit}`));
  root.append(select, answer, bars, layers);
  const own = { root, number, select, answer, bars, layers, maps: [] };
  select.addEventListener("change", () => {
    if (pointed?.network === number) unpoint();
    forget(own);
  });
  return own;
}

function show(answer) {
  if (answer.error) {
    // What stands there is of an earlier drawing.
    unpoint();
    panels.forEach(forget);
    return status(answer.error);
  }
  drawn = !answer.empty;
  status(drawn ? `moved ${shift[0]} down, ${shift[1]} right` : "Nothing is drawn yet.");
  answer.networks.forEach((seen, number) => showNetwork(panels[number], seen, answer.scale));
  if (pointed) explain(askedUnit);
}

function forget(panel) {
  panel.answer.textContent = "–";
  panel.root.dataset.answer = "";
  for (const bar of panel.bars.querySelectorAll("i")) bar.style.height = 0;
  panel.maps = [];
  panel.layers.replaceChildren();
}

function showNetwork(panel, seen, scale) {
  const best = seen.probabilities.indexOf(Math.max(...seen.probabilities));
  panel.answer.textContent = drawn ? `${best}, with ${(100 * seen.probabilities[best]).toFixed(1)} %` : "–";
  panel.root.dataset.answer = drawn ? best : "";
  [...panel.bars.querySelectorAll("i")].forEach((bar, digit) => { bar.style.height = `${100 * seen.probabilities[digit]}%`; });
  const rows = [{ name: "what it sees", type: "", values: seen.input }, ...seen.layers];
  if (panel.maps.length !== rows.length) {
    panel.maps = rows.map((row, layer) => new Maps(
      make("canvas", { className: "maps", ariaLabel: `${row.name}: arrow keys go from unit to unit` }),
      layer && (index => point(panel.number, layer - 1, index))));
    panel.layers.replaceChildren(...rows.map((row, layer) =>
      make("div", { className: "layer" }, make("h3"), panel.maps[layer].canvas, make("p", { className: "caption" }))));
  }
  Object.assign(panel, { seen, scale });
  rows.forEach((row, layer) => showLayer(panel, row, layer));
}

function showLayer(panel, row, layer) {
  const { shape, values } = unpack(row.values), [height, width, channels] = sides(shape);
  const maps = panel.maps[layer], [heading, , caption] = maps.canvas.parentElement.children;
  maps.marked = layer && pointed?.network === panel.number && pointed.layer === layer - 1 ? pointed.index : null;
  const [low, high] = maps.draw(shape, values, panel.root.clientWidth);
  maps.redraw = () => maps.draw(shape, values, panel.root.clientWidth);
  heading.textContent = `${row.name} ${row.type}`;
  const size = shape.length === 1 ? `${channels} units` : `${channels} of ${height}×${width}`;
  const sees = row.sees && !row.sees.includes(null) ? `, a unit sees ${row.sees.join("×")}` : "";
  caption.textContent = `${size}${sees}; from ${low.toFixed(2)} to ${high.toFixed(2)}${moved(row.moved)}`;
}

// What became of a layer's answers when the picture moved: correlations with those before.
function moved(correlations) {
  if (!correlations) return "";
  const said = [["moved along", correlations.along], ["stayed", correlations.stays]].filter(([, value]) => value !== null);
  return said.map(([word, value]) => `; ${word} ${value.toFixed(2)}`).join("");
}

function point(network, layer, index) {
  const before = pointed && panels[pointed.network].maps[pointed.layer + 1];
  pointed = { network, layer, index };
  const maps = panels[network].maps[layer + 1];
  if (before) { before.marked = null; before.redraw(); }
  maps.marked = index;
  maps.redraw();
  explain(askedUnit);
}

function unpoint() {
  pointed = null;
  place.replaceChildren();
  find(".field").hidden = true;
}

function askedUnit() {
  if (!pointed) return null;
  const { network, layer, index } = pointed, flat = panels[network].seen.layers[layer].values.shape.length === 1;
  return { drawing: paper.url(), shift, network: panels[network].select.value, layer, index: flat ? index.slice(2) : index };
}

function tell(unit, { network, layer, index }) {
  if (!pointed || unit.error) return place.replaceChildren(unit.error ?? "");
  const panel = panels[pointed.network], name = panel.seen.layers[layer].name;
  const [row, column, channel] = index.length === 1 ? [null, null, index[0]] : index;
  const title = `${name}, ${row === null ? `unit ${channel}` : `map ${channel}, row ${row}, column ${column}`}`;
  place.replaceChildren(make("h3", { textContent: title }), make("p", { className: "seen", textContent: sees(unit.field) }));
  const input = new Maps(make("canvas", { className: "maps", ariaLabel: "what the unit sees of the picture" }));
  place.append(input.canvas);
  const picture = unpack(panel.seen.input);
  input.draw(picture.shape, picture.values, 280);
  if (unit.field) frame(input, unit.field);
  place.append(make("p", { className: "sum", textContent: sum(unit) }));
  if (unit.patch) products(place, unit);
  onPaper(unit.field, panel);
  // On a narrow screen the sheet is far above: the explanation goes below the layer.
  if (innerWidth <= 900) panel.maps[layer + 1].canvas.parentElement.after(place); else find(".hand").append(place);
}

const sees = field => field
  ? `sees rows ${field[0].join("–")}, columns ${field[1].join("–")} of the picture: ${field.map(([first, last]) => last - first + 1).join("×")} pixels`
  : "sees nothing of the picture, only padding";

function sum(unit) {
  if (!unit.patch) return `= ${unit.value} (not a sum of products)`;
  const count = unit.patch.shape.reduce((a, b) => a * b, 1), bias = Number(unit.bias) ? ` + bias ${unit.bias}` : "";
  const end = unit.activation === "linear" ? "" : `; ${unit.activation} gives ${unit.value}`;
  return `sum of ${count} products ${unit.sum}${bias} = ${unit.before}${end}`.replaceAll("-", "−");
}

function frame(maps, [[top, bottom], [left, right]]) {
  const context = maps.canvas.getContext("2d"), { zoom } = maps;
  Object.assign(context, { strokeStyle: "#ff6b1a", lineWidth: 2 });
  context.strokeRect(left * zoom, top * zoom, (right - left + 1) * zoom, (bottom - top + 1) * zoom);
}

// The field on the drawing itself: where its pixels were before the drawing was scaled and centred.
function onPaper(field, { seen, scale }) {
  const mark = find(".field");
  mark.hidden = !field;
  if (!field) return;
  const [[top, height], [left, width]] = field.map(([first, last], axis) =>
    [seen.origin[axis] + first * scale[axis], (last - first + 1) * scale[axis]]);
  for (const [side, pixels] of Object.entries({ top, height, left, width })) mark.style[side] = `${pixels / 2.8}%`;
}

// Patch, kernel and products as maps; of the channel pointed at (at first the one that adds most) also as numbers.
function products(place, unit) {
  const [patch, kernel] = [unpack(unit.patch), unpack(unit.kernel)], [height, width, channels] = patch.shape;
  const product = { shape: patch.shape, values: patch.values.map((value, i) => value * kernel.values[i]) };
  const sums = Array(channels).fill(0);
  product.values.forEach((value, i) => { sums[i % channels] += value; });
  const sizes = sums.map(Math.abs), reading = make("p", { className: "caption" }), numbers = make("div");
  const choose = ([row, column, channel]) => {
    const at = (row * width + column) * channels + channel;
    reading.textContent = `row ${unit.corner[0] + row}, column ${unit.corner[1] + column}, channel ${unit.channels[channel]}: ` +
      `${written(patch.values[at])} × ${written(kernel.values[at])} = ${written(product.values[at])}`;
    if (height * width > 1 && height * width <= 49) numbers.replaceChildren(
      ...[["patch", patch], ["kernel", kernel], ["products", product]].map(([name, { values }]) =>
        table(`${name}, channel ${unit.channels[channel]}`, values, channel, patch.shape)));
  };
  for (const [name, { shape, values }] of [["patch", patch], ["× kernel", kernel], ["= products", product]]) {
    const maps = new Maps(make("canvas", { className: "maps", ariaLabel: `${name}: arrow keys go from number to number` }),
      index => { maps.marked = index; choose(index); });
    place.append(make("p", { className: "caption", textContent: name }), maps.canvas);
    maps.draw(shape, values, 280);
  }
  place.append(reading, numbers);
  choose([0, 0, sizes.indexOf(Math.max(...sizes))]);
}

function table(name, values, channel, [height, width, channels]) {
  const rows = [...Array(height)].map((_, row) => make("tr", {}, ...[...Array(width)].map((_, column) =>
    make("td", { textContent: values[(row * width + column) * channels + channel].toFixed(3).replace("-", "−") }))));
  return make("div", {}, make("p", { className: "caption", textContent: name }), make("table", {}, ...rows));
}

function move(step, times = 1) {
  shift = shift.map((pixels, axis) => Math.max(-28, Math.min(28, pixels + step[axis] * times)));
  look(asked);
}
function centre() {
  shift = [0, 0];
  look(asked);
}
function clear() {
  shift = [0, 0];
  paper.clear();
}
const moves = Object.entries({ up: [-1, 0], down: [1, 0], left: [0, -1], right: [0, 1] }).flatMap(([word, step]) =>
  [word, `Arrow${word[0].toUpperCase()}${word.slice(1)}`].map(name => [name, event => move(step, event.shiftKey ? 4 : 1)]));
does(paper, { clear, Delete: clear, Backspace: clear, centre, Home: centre, ...Object.fromEntries(moves), ...typed(paper) });
pasted(paper);
addEventListener("resize", () => panels.forEach(panel => panel.maps.forEach(maps => maps.redraw?.())));
