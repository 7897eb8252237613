// Known animals of one sex by age, as bars; the animal in question stands among them.

const HEIGHT = 200;
const TOP = 34;
const BOTTOM = 42;
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * Draw into a box, as wide as it is; its data-age-offset makes years of rings.
 *
 * counts: how many known animals had 1, 2, … rings. age, low, high: of the animal, in years; the
 * last two may be null. label: what the picture says, for those who do not see it.
 */
export function draw(box, { counts, age, low, high, label }) {
  const width = Math.max(box.clientWidth, 240);
  const offset = Number(box.dataset.ageOffset);
  const last = Math.max(counts.length, Math.ceil(Math.max(age, high ?? 0) - offset)) + 1;
  const x = (years) => ((years - offset - 0.5) / last) * width;
  const y = (number) => TOP + (1 - number / Math.max(...counts)) * (HEIGHT - TOP - BOTTOM);
  const ground = HEIGHT - BOTTOM;
  const picture = element("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": label });
  counts.forEach((number, index) => {
    const years = index + 1 + offset;
    const within = low !== null && years >= low && years <= high;
    picture.append(
      element("rect", {
        class: within ? "count within" : "count",
        x: x(years - 0.5) + 1, width: Math.max(width / last - 2, 1),
        y: y(number), height: Math.max(ground - y(number), 0), rx: 1.5,
      }),
    );
  });
  picture.append(element("line", { class: "axis", x1: 0, x2: width, y1: ground, y2: ground }));
  for (let years = 5; years <= last + offset - 1; years += 5) {
    picture.append(element("text", { class: "tick", x: x(years), y: ground + 18, "text-anchor": "middle" }, years));
  }
  picture.append(element("text", { class: "tick", x: width / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "age in years"));
  const here = x(age);
  const anchor = here < 60 ? "start" : here > width - 60 ? "end" : "middle";
  picture.append(
    element("line", { class: "mark", x1: here, x2: here, y1: TOP - 8, y2: ground }),
    element("circle", { class: "knob", cx: here, cy: ground, r: 4.5 }),
    element("text", { class: "here", x: here, y: TOP - 16, "text-anchor": anchor }, `${age.toFixed(1)} years`),
  );
  box.replaceChildren(picture);
}
