// The one switch of units: how numbers are read, not what they are; switching converts nothing.

const options = [...document.querySelectorAll("#units input")];

export const units = () => options.find((option) => option.checked);
export const other = () => options.find((option) => !option.checked);

export function use(option) {
  option.checked = true;
  show();
  option.dispatchEvent(new Event("change", { bubbles: true }));
}

export const onUnits = (listen) =>
  document.querySelector("#units").addEventListener("change", () => {
    show();
    listen();
  });

function show() {
  const { length, weight } = units().dataset;
  for (const unit of document.querySelectorAll(".unit")) {
    unit.textContent = unit.dataset.kind === "length" ? length : weight;
  }
}

show();
