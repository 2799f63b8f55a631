// A sheet to draw on: mouse, pen, fingers, a pasted picture or a typed character.
const PEN = 22, LARGEST_PASTE = 20e6;

function sheet(canvas, changed, said) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineWidth: PEN, lineCap: "round", lineJoin: "round", textAlign: "center", textBaseline: "middle" });
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
    context.fillText(character, canvas.width / 2, canvas.height / 2);
    changed();
  }
  return { url: () => canvas.toDataURL("image/png"), strokes: () => strokes, clear: () => { clear(); changed(); }, paste, type };
}

// One call at a time; of what is asked meanwhile only the newest is called, so thousands of events a second do no harm.
// The longest that somebody waited for the last answer is there as a performance measure.
let calls = 0;
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
      let answer;
      try { answer = asked && await call(asked); } catch { answer = { error: "The server does not answer." }; }
      if (answer) show(answer, asked);
      performance.clearMeasures(name);
      performance.measure(name, { start });
    }
    busy = false;
    busier(-1);
  };
}
