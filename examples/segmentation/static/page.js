"use strict";
// Uploads a picture, draws the mask over it and shows what was measured. Areas are pixels until a scale is given.

const $ = (id) => document.getElementById(id);
const limits = document.querySelector("main").dataset;
const TINT = [0, 166, 160];
const shown = { picture: null, mask: null, outline: null, found: null };

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function say(words) {
  $("message").textContent = words || "";
  $("message").hidden = !words;
}

function scale() {
  const value = Number($("scale").value);
  return value > 0 ? value : null;
}

function area(pixels) {
  if (pixels === null) return "–";
  const each = scale();
  const value = each ? pixels * each * each : pixels;
  return `${value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 })} ${each ? "µm²" : "px"}`;
}

function across(pixels) {
  const each = scale();
  const value = 2 * Math.sqrt(pixels / Math.PI) * (each || 1);
  return `${value.toFixed(1)} ${each ? "µm" : "px"}`;
}

async function send(file) {
  say("");
  if (file.size > Number(limits.maxBytes)) {
    say(`The file is larger than ${Math.round(limits.maxBytes / 1048576)} MiB.`);
    return;
  }
  const url = URL.createObjectURL(file);
  try {
    const picture = await load(url).catch(() => null);
    if (picture) {
      Object.assign(shown, { picture, mask: null, outline: null, found: null });
      $("result").hidden = false;
      delete $("result").dataset.id; // what is beside it belongs to the picture before: dimmed
      draw();
    }
    $("busy").hidden = false;
    const body = new FormData();
    body.append("image", file);
    const answer = await fetch("/segment", { method: "POST", body });
    const found = await answer.json().catch(() => ({ error: `The service answered ${answer.status}.` }));
    if (!answer.ok) throw new Error(found.error);
    await show(found);
    await earlier();
  } catch (error) {
    if (!shown.found) $("result").hidden = true;
    say(error instanceof TypeError ? "The service does not answer." : error.message);
  } finally {
    $("busy").hidden = true;
    URL.revokeObjectURL(url);
    $("file").value = "";
  }
}

async function load(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  return picture;
}

async function show(found) {
  const [picture, mask] = await Promise.all([load(`/pictures/${found.id}`), load(`/masks/${found.id}.png`)]);
  Object.assign(shown, { picture, found, ...layers(mask) });
  $("result").hidden = false;
  draw();
  describe();
  $("result").dataset.id = found.id;
}

// The mask as two layers: its area, and its edge.
function layers(picture) {
  const { naturalWidth: width, naturalHeight: height } = picture;
  const context = sheet(width, height);
  context.drawImage(picture, 0, 0);
  const source = context.getImageData(0, 0, width, height);
  const mask = new ImageData(width, height);
  const outline = new ImageData(width, height);
  const inside = (x, y) => x < 0 || y < 0 || x >= width || y >= height || source.data[4 * (y * width + x)] > 127;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (source.data[4 * (y * width + x)] <= 127) continue;
      const at = 4 * (y * width + x);
      mask.data.set([...TINT, 255], at);
      const whole = inside(x - 2, y) && inside(x + 2, y) && inside(x, y - 2) && inside(x, y + 2);
      if (!whole) outline.data.set([...TINT, 255], at);
    }
  }
  return { mask: painted(mask), outline: painted(outline) };
}

function sheet(width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  return canvas.getContext("2d", { willReadFrequently: true });
}

function painted(data) {
  const context = sheet(data.width, data.height);
  context.putImageData(data, 0, 0);
  return context.canvas;
}

function draw() {
  const view = $("view");
  const { picture, mask, outline, found } = shown;
  Object.assign(view, { width: picture.naturalWidth, height: picture.naturalHeight });
  const context = view.getContext("2d");
  context.drawImage(picture, 0, 0);
  if (!mask) return;
  context.globalAlpha = $("strength").value / 100;
  context.drawImage(mask, 0, 0);
  context.globalAlpha = $("strength").value > 0 ? 1 : 0;
  context.drawImage(outline, 0, 0);
  context.globalAlpha = 1;
  if ($("numbers").checked) number(context, found.cells, view.width);
}

function number(context, cells, width) {
  const size = Math.max(11, Math.round(width / 64));
  Object.assign(context, { font: `600 ${size}px system-ui, sans-serif`, textAlign: "center", textBaseline: "middle",
    lineWidth: size / 4, lineJoin: "round", strokeStyle: "#fffd", fillStyle: "#1b1220" });
  cells.forEach((cell, index) => {
    context.strokeText(index + 1, ...cell.centre);
    context.fillText(index + 1, ...cell.centre);
  });
}

function describe() {
  const { found } = shown;
  $("count").textContent = found.count;
  $("covered").textContent = `${(100 * found.covered).toFixed(1)} %`;
  $("mean").textContent = area(found.mean_area);
  $("median").textContent = area(found.median_area);
  $("note").textContent = found.cut
    ? `${plural(found.cut, "cell")} cut by the edge: counted, but not in mean, median and diagram.` : "";
  $("cells").replaceChildren(...found.cells.slice(0, 8).map((cell, index) => row(index + 1, cell)));
  histogram(found.cells.filter((cell) => !cell.cut).map((cell) => cell.area));
  $("mask-link").href = `/masks/${found.id}.png`;
  $("mask-link").download = `${found.id}-mask.png`;
  const lines = found.cells.map((cell, index) => [index + 1, cell.area, ...cell.centre, cell.cut].join(","));
  const table = ["number,area_pixels,x,y,cut_by_edge", ...lines].join("\n");
  $("table-link").href = `data:text/csv;charset=utf-8,${encodeURIComponent(`${table}\n`)}`;
}

function row(index, cell) {
  const line = document.createElement("tr");
  const values = [index, area(cell.area), across(cell.area), cell.centre.map(Math.round).join(", ")];
  line.append(...values.map((value) => Object.assign(document.createElement("td"), { textContent: value })));
  return line;
}

function histogram(areas) {
  const svg = $("histogram");
  const BARS = 12, BOTTOM = 108, WIDE = 320;
  svg.replaceChildren();
  const part = (name, values, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(values).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    svg.append(made);
  };
  part("line", { x1: 0, x2: WIDE, y1: BOTTOM, y2: BOTTOM });
  if (!areas.length) return;
  const least = Math.min(...areas), step = (Math.max(...areas) - least) / BARS || 1;
  const counts = new Array(BARS).fill(0);
  areas.forEach((value) => { counts[Math.min(BARS - 1, Math.floor((value - least) / step))] += 1; });
  const most = Math.max(...counts), width = WIDE / BARS;
  counts.forEach((count, index) => {
    const height = (count / most) * (BOTTOM - 18);
    part("rect", { x: index * width + 2, y: BOTTOM - height, width: width - 4, height, rx: 2 });
    if (count) part("text", { x: index * width + width / 2, y: BOTTOM - height - 4, "text-anchor": "middle" }, count);
  });
  part("text", { x: 2, y: 124 }, area(least));
  part("text", { x: WIDE - 2, y: 124, "text-anchor": "end" }, area(Math.max(...areas)));
}

async function earlier() {
  const found = await (await fetch("/analyses")).json();
  $("recent").hidden = !found.length;
  $("earlier").replaceChildren(...found.map((one) => {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(
      Object.assign(new Image(), { src: `/pictures/${one.id}`, alt: "", loading: "lazy" }),
      Object.assign(document.createElement("span"), { textContent: plural(one.count, "cell") }),
    );
    button.addEventListener("click", async () => {
      try {
        say("");
        await show(await (await fetch(`/analyses/${one.id}.json`)).json());
        window.scrollTo({ top: 0, behavior: "smooth" });
      } catch (error) {
        say("This picture is not there any more.");
      }
    });
    item.append(button);
    return item;
  }));
}

$("file").addEventListener("change", () => { if ($("file").files.length) send($("file").files[0]); });
["strength", "numbers"].forEach((id) => $(id).addEventListener("input", () => { if (shown.picture) draw(); }));
$("scale").addEventListener("input", () => { if (shown.found) describe(); });
$("form").addEventListener("submit", (event) => event.preventDefault());
["dragover", "dragleave", "drop"].forEach((name) => $("drop").addEventListener(name, (event) => {
  event.preventDefault();
  $("drop").classList.toggle("over", name === "dragover");
  if (name === "drop" && event.dataTransfer.files.length) send(event.dataTransfer.files[0]);
}));
earlier().catch(() => {});
