for (const box of document.querySelectorAll(".array-stepper:not([data-on])")) {
  const { rows, frames } = JSON.parse(box.querySelector("script").textContent);
  const keys = ["A", "B", "Y", "c", "s", "T", "G", "V"];
  const lines = [...box.querySelectorAll("tbody tr")];
  const slider = box.querySelector("input"), told = box.querySelector(".told");
  let at = Number(box.dataset.start);
  const fill = (line, values, old) =>
    [...line.cells].slice(2).forEach((cell, j) => {
      cell.textContent = values.length ? values[j] : "";
      cell.className = old && old[j] !== values[j] ? "new" : "";
    });
  const show = (k) => {
    at = Math.max(0, Math.min(frames.length - 1, k));
    const f = frames[at], before = frames[Math.max(0, at - 1)];
    rows.forEach((name, i) => {
      const mark = (f.read.includes(i) ? "R" : "") + (f.write.includes(i) ? "W" : "");
      lines[i].className = ("cell " + mark).trim();
      lines[i].cells[1].textContent = mark;
      fill(lines[i], f.cells[i], before.cells[i]);
    });
    keys.forEach((key, i) => fill(lines[rows.length + i], f[key]));
    told.textContent = `${f.p}, cycle ${f.i + 1} of ${f.n}: ${f.say}`;
    slider.value = at;
    slider.setAttribute("aria-valuetext", told.textContent);
  };
  const go = { first: () => 0, back: () => at - 1, on: () => at + 1,
    last: () => frames.length - 1 };
  for (const button of box.querySelectorAll("button"))
    button.addEventListener("click", () => show(go[button.dataset.go]()));
  slider.addEventListener("input", () => show(Number(slider.value)));
  box.querySelector(".go").hidden = false;
  box.dataset.on = "";
  show(at);
}
