// Arrays drawn as maps: one square a number, one tile a channel.
const unpack = ({ shape, data }) => ({ shape, values: new Float32Array(Uint8Array.from(atob(data), c => c.charCodeAt(0)).buffer) });
const make = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const sides = shape => shape.length === 1 ? [1, 1, shape[0]] : shape.length === 2 ? [...shape, 1] : shape;

// Black to bright from 0 up; with negative numbers 0 is grey, and they are darker and blue. Colours of 256 steps from low to high.
function colours(low, high) {
  const most = Math.max(-low, high) || 1, table = new Uint8ClampedArray(4 * 256);
  for (let step = 0; step < 256; step++) {
    const part = low < 0 ? 2 * step / 255 - 1 : step / 127.5 - 1, share = Math.abs(part);
    const to = part < 0 ? (low < 0 ? [12, 30, 110] : [16, 16, 18]) : [255, 236, 170];
    table.set([...to.map(end => 120 + (end - 120) * share), 255], 4 * step);
  }
  const shown = new Uint32Array(table.buffer);
  return value => shown[Math.round(255 * (low < 0 ? value / most / 2 + 0.5 : value / most))];
}

class Maps {
  constructor(canvas, pointed) {
    Object.assign(this, { canvas, marked: null });
    if (!pointed) return;
    const at = event => { const index = this.hit(event); if (index) pointed(index); };
    canvas.addEventListener("pointermove", at);
    canvas.addEventListener("pointerdown", at);
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", event => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step || !this.shape) return;
      event.preventDefault();
      pointed(this.moved(step));
    });
  }

  draw(shape, values, width) {
    const [height, across, channels] = this.shape = sides(shape);
    const zoom = this.zoom = across >= 20 ? (channels > 1 ? 2 : 4) : across >= 12 ? 4 : across >= 8 ? 5 : across >= 3 ? 8 : 11;
    this.columns = Math.min(channels, Math.max(1, Math.floor((width + 2) / (across * zoom + 2))));
    const size = [this.columns * (across * zoom + 2) - 2, Math.ceil(channels / this.columns) * (height * zoom + 2) - 2];
    const { canvas } = this, context = canvas.getContext("2d");
    [canvas.width, canvas.height] = size;
    let low = 0, high = 0;
    for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
    const picture = context.createImageData(...size), pixels = new Uint32Array(picture.data.buffer), colour = colours(low, high);
    for (let i = 0; i < values.length; i++) {
      const [x, y] = this.corner(Math.floor(i / channels / across), Math.floor(i / channels) % across, i % channels);
      const shown = colour(values[i]);
      for (let start = y * size[0] + x, row = 0; row < zoom; row++, start += size[0]) pixels.fill(shown, start, start + zoom);
    }
    context.putImageData(picture, 0, 0);
    if (this.marked) {
      context.strokeStyle = "#d9480f";
      context.lineWidth = 2;
      context.strokeRect(...this.corner(...this.marked), zoom, zoom);
    }
    return [low, high];
  }

  corner(row, column, channel) {
    const [height, across] = this.shape, { zoom, columns } = this;
    return [channel % columns * (across * zoom + 2) + column * zoom, Math.floor(channel / columns) * (height * zoom + 2) + row * zoom];
  }

  hit(event) {
    if (!this.shape) return null;
    const box = this.canvas.getBoundingClientRect(), [height, across, channels] = this.shape, { zoom } = this;
    const x = (event.clientX - box.left) * this.canvas.width / box.width, y = (event.clientY - box.top) * this.canvas.height / box.height;
    const tile = [across * zoom + 2, height * zoom + 2]; // the gap belongs to the tile before it
    const row = Math.min(height - 1, Math.floor(y % tile[1] / zoom)), column = Math.min(across - 1, Math.floor(x % tile[0] / zoom));
    const channel = Math.floor(y / tile[1]) * this.columns + Math.floor(x / tile[0]);
    return x < 0 || y < 0 || channel >= channels || x >= this.canvas.width ? null : [row, column, channel];
  }

  // With the keys: through a map, and on into the next.
  moved([down, right]) {
    const [height, across, channels] = this.shape;
    let [row, column, channel] = this.marked ?? [0, 0, 0];
    if (this.marked) { row += down; column += right; }
    if (column < 0 || column >= across) { channel += right; column = right > 0 ? 0 : across - 1; }
    if (row < 0 || row >= height) { channel += down * this.columns; row = down > 0 ? 0 : height - 1; }
    return channel < 0 || channel >= channels ? this.marked : [row, column, channel];
  }
}

function map(canvas, packed, width = 280) {
  const { shape, values } = unpack(packed);
  new Maps(canvas).draw(shape, values, width);
}
