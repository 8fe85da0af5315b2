// Elements and tables. Every text is set as textContent: names are never read as HTML.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes `parent` have `count` children of this tag.
function resize(parent, count, make) {
  while (parent.children.length > count) parent.lastElementChild.remove();
  while (parent.children.length < count) parent.append(make());
}

// `columns`: [{title, className}]; `rows`: each a list of texts, or of {text, className, title}.
// Cells stay the same elements, so that a selection of text and the focus survive.
export function fillTable(table, columns, rows, none) {
  if (!table.tHead) {
    table.createTHead().insertRow();
    table.createTBody();
    columns.forEach(({ title, className }) =>
      table.tHead.rows[0].append(
        element("th", { scope: "col", textContent: title, className: className ?? "" }),
      ),
    );
  }
  const body = table.tBodies[0];
  resize(body, Math.max(rows.length, 1), () => element("tr"));
  if (rows.length === 0) {
    body.rows[0].replaceChildren(
      element("td", { colSpan: columns.length, className: "none text", textContent: none }),
    );
    return;
  }
  rows.forEach((row, i) => {
    const line = body.rows[i];
    if (line.cells.length !== columns.length) {
      line.replaceChildren(
        ...columns.map((_, at) => (at === 0 ? element("th", { scope: "row" }) : element("td"))),
      );
    }
    row.forEach((cell, at) => {
      const { text, className = "", title = "" } = typeof cell === "string" ? { text: cell } : cell;
      const node = line.cells[at];
      setText(node, text);
      const wanted = `${columns[at].className ?? ""} ${className}`.trim();
      if (node.className !== wanted) node.className = wanted;
      if (node.title !== title) node.title = title;
    });
  });
}
