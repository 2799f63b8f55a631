// Edges: the picture that a network makes of an outline.
const paper = sheet(find(".paper canvas"), () => look(asked), status, { pen: 8, outlines: true });
const select = find("select");
let reader = null; // a network of digits
const asked = () => select.value && { drawing: paper.url(), network: select.value, reader };
const look = newest("picture", server.picture, show);
const listed = async asked => {
  const found = await server.networks(asked);
  reader = found?.reader ?? null;
  return found;
};
choices([select], listed, () => look(asked));

function show(answer) {
  find(".answer").textContent = ""; // of an earlier drawing
  if (answer.error) return status(answer.error);
  status(answer.empty ? "Nothing is drawn yet." : "");
  map(find(".seen"), answer.input);
  map(find(".made"), answer.picture);
  const read = answer.empty || !answer.read ? "" : `read as ${answer.read[0]}, with ${(100 * answer.read[1]).toFixed(1)} %`;
  find(".answer").textContent = read;
}

does(paper, { clear: paper.clear, Delete: paper.clear, Backspace: paper.clear, ...typed(paper) });
pasted(paper);
