// A sheet to draw on: mouse, pen, fingers, a pasted picture or a typed character.
const LARGEST_PASTE = 20e6, MOST_POINTS = 3000;
const find = selector => element.querySelector(selector);
const status = text => { find(".status").textContent = text; };

function sheet(canvas, changed, said, { pen, outlines = false }) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineWidth: pen, lineCap: "round", lineJoin: "round", textAlign: "center", textBaseline: "middle" });
  const pens = new Map(); // pointer: its last point
  let strokes = [];

  const place = event => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
  };
  const line = (from, to) => {
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  };
  canvas.addEventListener("pointerdown", event => {
    if (event.button) return;
    try { canvas.setPointerCapture(event.pointerId); } catch { /* the pointer is gone already */ }
    const point = place(event), stroke = [point];
    pens.set(event.pointerId, stroke);
    strokes.push(stroke);
    line(point, point);
    changed();
  });
  canvas.addEventListener("pointermove", event => {
    const stroke = pens.get(event.pointerId);
    if (!stroke) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const point of (passed.length ? passed : [event]).map(place)) {
      line(stroke.at(-1), point);
      stroke.push(point);
    }
    changed();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
    canvas.addEventListener(end, event => pens.delete(event.pointerId));

  // A picture of any size, fitted; whichever of dark and bright is rarer is the ink.
  async function paste(file) {
    if (file.size > LARGEST_PASTE) return said("That picture is too large: at most 20 MB.");
    let picture;
    try { picture = await createImageBitmap(file); } catch { return said("That is not a picture this browser can read."); }
    const { width, height } = canvas, fit = Math.min(width / picture.width, height / picture.height);
    const small = new OffscreenCanvas(width, height).getContext("2d");
    const sides = [picture.width * fit, picture.height * fit], corner = sides.map((side, i) => ([width, height][i] - side) / 2);
    small.drawImage(picture, ...corner, ...sides);
    const pixels = small.getImageData(0, 0, width, height), data = pixels.data;
    const brightness = i => 0.2126 * data[i] + 0.7152 * data[i + 1] + 0.0722 * data[i + 2];
    let seen = 0, sum = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 127) { seen++; sum += brightness(i); }
    for (let i = 0; i < data.length; i += 4)
      data.set([0, 0, 0, data[i + 3] > 127 ? (sum > 127 * seen ? 255 - brightness(i) : brightness(i)) : 0], i);
    clear();
    context.putImageData(pixels, 0, 0);
    changed();
  }
  function clear() {
    strokes = [];
    pens.clear();
    context.clearRect(0, 0, canvas.width, canvas.height);
  }
  function type(character) {
    clear();
    context.font = `${canvas.height * 0.8}px sans-serif`;
    context[outlines ? "strokeText" : "fillText"](character, canvas.width / 2, canvas.height / 2);
    changed();
  }
  // Draws the strokes of an example, points from 0 to 255, in the middle of the canvas.
  function draw(others) {
    clear();
    const most = [0, 1].map(axis => Math.max(...others.flat().map(point => point[axis])));
    strokes = others.map(stroke => stroke.map(point => point.map((value, axis) => value * 0.9 + 140 - most[axis] * 0.45)));
    for (const stroke of strokes) stroke.forEach((point, i) => line(stroke[Math.max(i - 1, 0)], point));
    changed();
  }
  // At most so many points, evenly taken; of each stroke the first.
  function taken() {
    const step = Math.ceil(strokes.flat().length / MOST_POINTS);
    return strokes.map(stroke => stroke.filter((_, i) => i % step === 0).map(point => point.map(Math.round)));
  }
  return { canvas, url: () => canvas.toDataURL("image/png"), strokes: taken, clear: () => { clear(); changed(); }, draw, paste, type };
}

// What the buttons do, by the word on them, and keys where the sheet has the focus, by their names.
function does(paper, acts) {
  paper.canvas.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(acts, event.key)) return;
    acts[event.key](event);
    event.preventDefault();
  });
  find(".buttons").addEventListener("click", event => acts[event.target.dataset.do]?.(event));
}
const typed = paper => Object.fromEntries([..."0123456789"].map(digit => [digit, () => paper.type(digit)]));
const pasted = paper => document.addEventListener("paste", event => {
  const file = [...event.clipboardData.files][0];
  if (file && element.offsetParent) paper.paste(file);
});

// Fills lists of networks, then calls back, and again when another is chosen.
function choices(selects, call, chosen) {
  answered(call, {}).then(({ networks, error }) => {
    if (networks) for (const select of selects) {
      select.append(...networks.map(([name, label]) => make("option", { value: name, textContent: label })));
      select.addEventListener("change", () => chosen(networks));
    }
    if (networks?.length) chosen(networks);
    else status(error ?? "There is no trained network of this kind.");
    busier(-1);
  });
}

// Gradio answers a call that failed on its way with nothing. A call changes nothing, so it is made once more.
async function answered(call, asked) {
  const tried = () => call(asked).catch(() => null);
  const pause = new Promise(go => setTimeout(go, 500));
  return await tried() ?? (await pause, await tried()) ?? { error: "The server does not answer." };
}

// One call at a time; of what is asked meanwhile only the newest is called, so thousands of events a second do no harm.
// The longest that somebody waited for the last answer is there as a performance measure.
let calls = 1; // the list of networks
const busier = by => { element.querySelector("[aria-busy]").ariaBusy = (calls += by) > 0; };
function newest(name, call, show) {
  let busy = false, waiting = null, since = null;
  return async ask => {
    waiting = ask;
    since ??= performance.now();
    if (busy) return;
    busy = true;
    busier(1);
    while (waiting) {
      const asked = waiting(), start = since;
      waiting = since = null;
      const answer = asked && await answered(call, asked);
      if (answer) show(answer, asked);
      performance.clearMeasures(name);
      performance.measure(name, { start });
    }
    busy = false;
    busier(-1);
  };
}
