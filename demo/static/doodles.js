// Doodles: the three likeliest classes, and the drawings whose features are nearest.
const paper = sheet(find(".paper canvas"), () => look(asked), status, { pen: 12 });
const select = find("select");
const asked = () => select.value && { strokes: paper.strokes(), network: select.value };
const look = newest("doodle", server.recognise, show);
choices([select], server.networks, () => look(asked));
let examples = 0;

function show(answer) {
  if (answer.error) {
    // What stands there is of an earlier drawing.
    for (const part of [".answers", ".like"]) find(part).replaceChildren();
    return status(answer.error);
  }
  find(".classes").textContent = answer.classes.join(", ");
  find(".hint").hidden = false;
  find(".answers").replaceChildren(...answer.top.map(([name, part]) =>
    make("li", { textContent: `${name}, ${(100 * part).toFixed(1)} %` })));
  status(answer.top.length ? "" : "Nothing is drawn yet.");
  map(find(".seen"), answer.input);
  find(".like").replaceChildren(...answer.like.map(([name, picture]) => {
    const canvas = make("canvas", { className: "maps", ariaLabel: `a ${name}` });
    map(canvas, picture);
    return make("figure", {}, canvas, make("figcaption", { textContent: name }));
  }));
}

const example = () => fetched(() => ({ number: examples++ }));
const fetched = newest("example", server.example, ({ strokes, name, error }) => {
  if (error) return status(error);
  paper.draw(strokes);
  paper.canvas.title = name;
});

does(paper, { clear: paper.clear, Delete: paper.clear, Backspace: paper.clear, example, Enter: example });
