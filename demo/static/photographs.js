// Photographs: one network looks at a photograph, as it is or altered.
const SIDE = 32, canvas = find(".paper canvas"), original = find("canvas.own"), small = original.getContext("2d");
const sheetOf = find(".sheet"), which = find(".which"), how = find(".how"), layers = find(".layers"), place = find(".unit");
let classes = [], chosen = null, named = "", maps = [], seen = null, pointed = null, shown = false;

const asked = () => shown && which.value
  ? { picture: original.toDataURL("image/png"), alteration: how.value, network: which.value } : null;
const look = newest("photograph", server.look, show);
const explain = newest("photograph's unit", server.unit, tell);
const listed = async request => {
  const answer = await server.networks(request);
  if (answer?.alterations && !how.length) how.append(...answer.alterations.map(words => make("option", { textContent: words })));
  return answer;
};
choices([which], listed, () => { unpoint(); look(asked); });
how.addEventListener("change", () => look(asked));

// The photographs to choose from.
busier(1);
answered(server.sample, {}).then(async ({ sheet, classes: names, error }) => {
  if (error) status(error);
  else {
    const picture = new Image();
    picture.src = sheet;
    await picture.decode();
    sheetOf.getContext("2d").drawImage(picture, 0, 0);
    classes = names;
    choose([3, 0]); // a cat
  }
  busier(-1);
});
function choose([row, column]) {
  if (!classes.length) return;
  chosen = [(row + 10) % 10, (column + 10) % 10];
  named = classes[chosen[0]];
  small.drawImage(sheetOf, chosen[1] * SIDE, chosen[0] * SIDE, SIDE, SIDE, 0, 0, SIDE, SIDE);
  taken();
}
sheetOf.addEventListener("click", event => {
  const box = sheetOf.getBoundingClientRect();
  choose([event.clientY - box.top, event.clientX - box.left].map((at, axis) =>
    Math.min(9, Math.floor(10 * at / (axis ? box.width : box.height)))));
});

// A picture of the user's own: its middle, at 32×32 pixels.
async function own(file) {
  if (!file) return;
  if (file.size > LARGEST_PASTE) return status("That picture is too large: at most 20 MB.");
  let whole;
  try { whole = await createImageBitmap(file); } catch { return status("That is not a picture this browser can read."); }
  const side = Math.min(whole.width, whole.height), corner = [whole.width - side, whole.height - side].map(room => Math.floor(room / 2));
  const cut = await createImageBitmap(whole, ...corner, side, side, { resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: "high" });
  small.fillRect(0, 0, SIDE, SIDE);
  small.drawImage(cut, 0, 0);
  [chosen, named] = [null, ""];
  taken();
}
function taken() {
  shown = true;
  canvas.title = named;
  look(asked);
}
const input = find("input");
input.addEventListener("change", () => { own(input.files[0]); input.value = ""; });
document.addEventListener("paste", event => { if (element.offsetParent) own(event.clipboardData.files[0]); });
const paper = find(".paper");
paper.addEventListener("dragover", event => event.preventDefault());
paper.addEventListener("drop", event => { event.preventDefault(); own(event.dataTransfer.files[0]); });
const next = (down, right) => () => choose(chosen ? [chosen[0] + down, chosen[1] + right] : [3, 0]);
does({ canvas }, { open: () => input.click(), ArrowUp: next(-1, 0), ArrowDown: next(1, 0), ArrowLeft: next(0, -1), ArrowRight: next(0, 1) });

function show(answer) {
  if (answer.error) {
    unpoint();
    find(".answer").textContent = "–";
    for (const part of [find(".answers"), layers]) part.replaceChildren();
    maps = [];
    return status(answer.error);
  }
  status("");
  seen = answer;
  const order = answer.probabilities.map((part, label) => [part, label]).sort(([a], [b]) => b - a);
  const words = ([part, label]) => `${classes[label]}, ${(100 * part).toFixed(1)} %`;
  find(".answer").textContent = `${words(order[0])}${named ? ` (it is: ${named})` : ""}`;
  find(".answers").replaceChildren(...order.map(one => make("li", { textContent: words(one) })));
  colour(canvas, unpack(answer.input).values);
  if (maps.length !== answer.layers.length) {
    maps = answer.layers.map((layer, number) => new Maps(
      make("canvas", { className: "maps", ariaLabel: `${layer.name}: arrow keys go from unit to unit` }),
      index => point(number, index)));
    layers.replaceChildren(...maps.map(one =>
      make("div", { className: "layer" }, make("h3"), one.canvas, make("p", { className: "caption" }))));
  }
  answer.layers.forEach(showLayer);
  if (pointed) explain(askedUnit);
}

function showLayer(layer, number) {
  const { shape, values } = unpack(layer.values), [height, width, channels] = sides(shape);
  const one = maps[number], [heading, , caption] = one.canvas.parentElement.children;
  one.marked = pointed?.layer === number ? pointed.index : null;
  const [low, high] = one.draw(shape, values, layers.clientWidth);
  heading.textContent = `${layer.name} ${layer.type}`;
  const size = shape.length === 1 ? `${channels} units` : `${channels} of ${height}×${width}`;
  const sees = layer.sees && !layer.sees.includes(null) ? `, a unit sees ${layer.sees.join("×")}` : "";
  caption.textContent = `${size}${sees}; from ${low.toFixed(2)} to ${high.toFixed(2)}`;
}

function colour(to, values) {
  const context = to.getContext("2d"), picture = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) picture.data.set([...values.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  context.putImageData(picture, 0, 0);
}

function point(layer, index) {
  const before = pointed;
  pointed = { layer, index };
  for (const number of new Set([before?.layer, layer])) if (number !== undefined) showLayer(seen.layers[number], number);
  explain(askedUnit);
}
function unpoint() {
  pointed = null;
  place.replaceChildren();
  find(".field").hidden = true;
}
function askedUnit() {
  if (!pointed || !asked()) return null;
  const flat = seen.layers[pointed.layer].values.shape.length === 1;
  return { ...asked(), layer: pointed.layer, index: flat ? pointed.index.slice(2) : pointed.index };
}
function tell({ field, value, error }, { layer, index }) {
  if (!pointed || error) return place.replaceChildren(error ?? "");
  const [row, column, channel] = index.length === 1 ? [null, null, index[0]] : index;
  const title = `${seen.layers[layer].name}, ${row === null ? `unit ${channel}` : `map ${channel}, row ${row}, column ${column}`}`;
  const sees = field
    ? `sees rows ${field[0].join("–")}, columns ${field[1].join("–")}: ${field.map(([first, last]) => last - first + 1).join("×")} pixels`
    : "sees nothing of the photograph, only padding";
  place.replaceChildren(make("h3", { textContent: title }), make("p", { className: "seen", textContent: sees }),
    make("p", { className: "sum", textContent: `= ${value.replace("-", "−")}` }));
  const mark = find(".field");
  mark.hidden = !field;
  if (!field) return;
  const [[top, height], [left, width]] = field.map(([first, last]) => [first, last - first + 1]);
  for (const [side, pixels] of Object.entries({ top, height, left, width })) mark.style[side] = `${100 * pixels / SIDE}%`;
}
addEventListener("resize", () => seen?.layers.forEach(showLayer));
