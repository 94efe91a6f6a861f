// Search as you type, the document beside the hits, answers as they are written. Without this script all of it works by links and forms.
"use strict";

const byId = (id) => document.getElementById(id);
const PART = { headers: { "X-Part": "1" }, credentials: "same-origin" };

document.documentElement.classList.add("script");

/** Fetch a part of a page. A server that asks for the token again gets a whole page to ask on. */
async function fetchPart(address, options = {}) {
  const answer = await fetch(address, { ...PART, ...options });
  if (answer.status === 401) location.reload();
  return answer.text();
}

/** Turn markup of our own server into nodes; every text in it is escaped there, and scripts in it would not run. */
function nodesOf(markup) {
  return new DOMParser().parseFromString(markup, "text/html").body;
}

function showIn(place, markup) {
  place.replaceChildren(...nodesOf(markup).childNodes);
}

// Search

const form = byId("search");
const preview = byId("preview");
const hits = () => [...document.querySelectorAll("#results .hit .to")];
let searching = null;
let opening = null;
let shown = ""; // the address of the document beside the hits
let timer = 0;
let openTimer = 0;

const isWide = () => matchMedia("(min-width: 1000px)").matches;

function addressOf(path, more = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value && !(name === "mode" && value === "hybrid")) asked.set(name, value);
  for (const [name, value] of Object.entries(more)) asked.set(name, value);
  const text = asked.toString();
  return text ? `${path}?${text}` : path;
}

/** Search; while somebody types only for what takes no time, and then for the rest. */
async function search(isQuick) {
  clearTimeout(timer);
  searching?.abort();
  const mine = (searching = new AbortController());
  document.body.classList.add("is-waiting");
  try {
    const markup = await fetchPart(addressOf("/ui/results", isQuick ? { quick: "true" } : {}), { signal: mine.signal });
    if (searching !== mine) return;
    showResults(nodesOf(markup));
    if (isQuick) timer = setTimeout(() => search(false), 500);
    else byId("results").dataset.asked = byId("q").value;
  } catch (error) {
    if (error.name !== "AbortError") byId("status").textContent = "The server does not answer.";
  } finally {
    if (searching === mine) document.body.classList.remove("is-waiting");
  }
}

function showResults(found) {
  const before = document.activeElement?.closest?.("#results .hit") ? document.activeElement.getAttribute("href") : null;
  const holder = found.querySelector("[data-status]");
  byId("status").textContent = holder?.dataset.status ?? "";
  byId("results").replaceChildren(...(holder ?? found).childNodes);
  const all = hits();
  const kept = all.find((link) => passageOf(link) === passageOf(before)) ?? null;
  if (before) (kept ?? all[0] ?? byId("q")).focus();
  else if (all.length) choose(all[0]);
  else closePreview();
}

const passageOf = (link) => (link === null || link === undefined ? "" : String(link.href ?? link).replace(/[?#].*/, "").replace(/^.*\/ui\//, "/ui/"));

function changed() {
  history.replaceState(null, "", addressOf("/"));
  document.title = byId("q").value ? `${byId("q").value} – searchkit` : "searchkit";
  clearTimeout(timer);
  timer = setTimeout(() => search(true), 110);
}

/** Choose a hit, and show its document beside the hits where there is room. */
function choose(link) {
  for (const hit of document.querySelectorAll(".hit.is-chosen")) hit.classList.remove("is-chosen");
  link.closest(".hit").classList.add("is-chosen");
  if (!isWide()) return;
  clearTimeout(openTimer);
  const address = link.getAttribute("href");
  if (address !== shown) openTimer = setTimeout(() => openBeside(address), preview.hidden ? 0 : 90);
}

async function openBeside(address) {
  opening?.abort();
  const mine = (opening = new AbortController());
  preview.classList.add("is-waiting");
  try {
    const markup = await fetchPart(address.replace(/#.*/, ""), { signal: mine.signal });
    if (opening !== mine) return;
    shown = address;
    preview.hidden = false;
    document.querySelector(".panes").classList.add("has-preview");
    showIn(preview, markup);
    prepareDocument(preview);
    preview.scrollTop = 0;
    const found = preview.querySelector(".page") ? null : preview.querySelector("#passage");
    if (found) preview.scrollTop = Math.max(0, found.offsetTop - preview.offsetTop - preview.clientHeight / 3);
  } catch (error) {
    if (error.name !== "AbortError") closePreview();
  } finally {
    if (opening === mine) preview.classList.remove("is-waiting");
  }
}

function closePreview() {
  clearTimeout(openTimer);
  opening?.abort();
  shown = "";
  preview.hidden = true;
  preview.replaceChildren();
  document.querySelector(".panes").classList.remove("has-preview");
}

function move(step) {
  const all = hits();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? all.findIndex((link) => link.closest(".is-chosen")) + (step > 0 && document.activeElement !== byId("q") ? 1 : 0) : at + step;
  if (next < 0) return void byId("q").focus();
  all[Math.min(next, all.length - 1)].focus();
}

if (form) {
  form.addEventListener("input", changed);
  document.querySelector(".filters").addEventListener("input", changed);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search(false);
  });
  byId("results").addEventListener("focusin", (event) => {
    if (event.target.matches(".to")) choose(event.target);
  });
  byId("clear").addEventListener("click", (event) => {
    event.preventDefault();
    for (const field of document.querySelectorAll(".filters input, .filters select")) {
      if (field.type === "checkbox") field.checked = false;
      else field.value = field.tagName === "SELECT" ? field.options[0].value : "";
    }
    changed();
  });
  preview.addEventListener("click", (event) => {
    const link = event.target.closest(".turn-to a");
    if (!link) return;
    event.preventDefault();
    openBeside(link.getAttribute("href"));
  });
  const first = hits()[0];
  if (first) choose(first);
  byId("q").setSelectionRange(byId("q").value.length, byId("q").value.length);
}

// Documents

function prepareDocument(place) {
  const picture = place.querySelector(".page img");
  if (!picture) return;
  const fail = () => {
    const text = place.querySelector(".as-text");
    picture.closest(".page").remove();
    if (text) text.open = true;
  };
  picture.addEventListener("error", fail);
  if (!picture.complete) picture.addEventListener("load", () => showMarks(picture, place));
  else if (picture.naturalWidth) showMarks(picture, place);
  else fail();
}

/** Scroll to what is marked on a page, unless it is in sight, or somebody has scrolled already. The picture's answer is kept by the browser. */
async function showMarks(picture, place) {
  const answer = await fetch(picture.src, { cache: "force-cache" }).catch(() => null);
  const pane = place === document ? document.scrollingElement : place;
  const at = picture.getBoundingClientRect().top + Number(answer?.headers.get("x-top") ?? 0) * picture.clientHeight;
  const bottom = place === document ? innerHeight : place.getBoundingClientRect().bottom;
  if (pane.scrollTop === 0 && at > bottom - 120) pane.scrollTop += at - bottom + pane.clientHeight * 0.6;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed here";
  }
  setTimeout(() => (button.textContent = words), 1500);
});

if (document.querySelector(".reading")) prepareDocument(document);

// Answers

const ask = byId("ask");

async function askAloud(event) {
  event.preventDefault();
  const field = byId("question");
  const question = field.value.trim();
  if (!question || byId("turns").getAttribute("aria-busy") === "true") return;
  const body = new URLSearchParams(new FormData(ask));
  byId("ask-start")?.remove();
  const turn = document.createElement("article");
  turn.className = "turn";
  const heading = document.createElement("h2");
  heading.className = "question";
  heading.textContent = question;
  const answer = document.createElement("div");
  answer.className = "answer is-coming";
  turn.append(heading, answer);
  byId("turns").append(turn);
  byId("turns").setAttribute("aria-busy", "true");
  byId("ask-button").disabled = true;
  field.value = "";
  turn.scrollIntoView({ block: "nearest" });
  try {
    await follow(body, answer, turn);
  } catch {
    answer.textContent += " … The server does not answer.";
    field.value = question;
  } finally {
    answer.classList.remove("is-coming");
    byId("turns").setAttribute("aria-busy", "false");
    byId("ask-button").disabled = false;
    byId("new-conversation").hidden = false;
    field.focus({ preventScroll: true });
  }
}

/** Show an answer's pieces as they come, and at the end the whole turn in their place. */
async function follow(body, answer, turn) {
  const response = await fetch("/ui/ask/stream", { ...PART, method: "POST", body });
  if (response.status === 401) location.reload();
  if (!response.headers.get("content-type").includes("ndjson")) return void showIn(answer, await response.text());
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    held += value ?? "";
    const lines = held.split("\n");
    held = lines.pop();
    for (const line of lines.filter((each) => each.trim())) {
      const said = JSON.parse(line);
      if (said.text) answer.textContent += said.text;
      if (said.html) finish(said.html, answer, turn);
    }
    if (done) return;
  }
}

function finish(markup, answer, turn) {
  const whole = nodesOf(markup);
  const finished = whole.querySelector(".turn");
  if (finished) turn.replaceWith(finished);
  else answer.replaceChildren(...whole.childNodes);
}

if (ask) {
  ask.addEventListener("submit", askAloud);
  byId("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask.requestSubmit();
    }
  });
}

document.querySelector("[data-carries-query]")?.addEventListener("click", (event) => {
  const typed = byId("q")?.value.trim();
  if (typed) event.currentTarget.href = `/ui/ask?${new URLSearchParams({ q: typed })}`;
});

// Collections: looked at again while something changes

const collections = byId("collections");

async function lookAgain() {
  if (!collections.querySelector("[data-changing]")) return;
  if (!document.hidden && !collections.contains(document.activeElement)) {
    showIn(collections, await fetchPart("/ui/collections").catch(() => collections.innerHTML));
  }
  setTimeout(lookAgain, 2000);
}

if (collections) setTimeout(lookAgain, 2000);

// Keys

const help = byId("help");

function openHelp(event) {
  if (!help) return;
  event.preventDefault();
  if (!help.open) help.showModal();
}

byId("open-help")?.addEventListener("click", openHelp);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || help?.open) return;
  const box = byId("q");
  const isTyping = event.target.matches("input, textarea, select");
  const isBox = event.target === box;
  if (event.key === "/" && !isTyping && (box || byId("question"))) {
    event.preventDefault();
    (box ?? byId("question")).focus();
    box?.select();
  } else if (event.key === "?" && !isTyping) {
    openHelp(event);
  } else if (form && ((event.key === "ArrowDown" && (isBox || !isTyping)) || (event.key === "j" && !isTyping))) {
    event.preventDefault();
    move(1);
  } else if (form && !isTyping && (event.key === "ArrowUp" || event.key === "k")) {
    event.preventDefault();
    move(-1);
  } else if (form && event.key === "Escape") {
    event.preventDefault();
    if (isBox && box.value) {
      box.value = "";
      changed();
    }
    box.focus();
  }
});
