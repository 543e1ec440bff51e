// The browser's half of a LabWidget: native, labelled controls, the picture, and one queue of messages.
// It draws what the kernel sends and knows nothing about what it means. See base.py for the messages.

// JupyterLab takes Enter, arrow and letter keys from an output unless the focused element itself carries this.
const KEYS_STAY = "data-lm-suppress-shortcuts";
const FOCUSABLE = "button, input, select, textarea, summary, a[href], [tabindex]";
const QUIET_MS = 350; // how long a picture must stand before it is announced
const PATIENCE_MS = 2500; // how long the kernel may be silent before we say so
// A kernel answers with several small packets, and Jupyter's server holds the second back until the first is
// acknowledged (Nagle), which the browser's system delays by 40 ms unless it has something to send. So while an
// answer is due we send an empty message: measured, key press to picture falls from 61 to 35 ms (median).
const NUDGES_MS = [12, 26];

export default { render };

function render({ model, el }) {
  const uid = "kl" + Math.random().toString(36).slice(2, 9);
  const root = make("div", { class: "kms-lab", role: "group", "aria-label": model.get("title") || "Widget" });
  const bar = make("div", { class: "kl-controls" });
  const view = make("div", { class: "kl-view", tabindex: "-1" });
  const summary = make("p", { class: "kl-summary" });
  const wait = make("p", { class: "kl-note kl-wait", hidden: "" });
  const announce = make("p", { class: "kl-hidden", role: "status", "aria-live": "polite" });
  if (model.get("title")) root.append(make("p", { class: "kl-title" }, model.get("title")));
  root.append(bar, view, summary, wait, announce);
  el.append(root);

  const wire = queue(uid, (message) => model.send(message), (late) => {
    wait.hidden = !late;
    wait.textContent = late
      ? "Waiting for the kernel: it may be busy. If it was restarted, run this cell again."
      : "";
  });
  let controls = {};
  let timer = 0;

  function build() {
    const focused = bar.contains(document.activeElement) ? document.activeElement.id : "";
    controls = {};
    const nodes = model.get("controls").map((spec, i) => {
      const control = KINDS[spec.kind](spec, `${uid}-${i}`, wire);
      controls[spec.name] = control;
      return control.node;
    });
    bar.replaceChildren(...nodes);
    bar.hidden = nodes.length === 0;
    if (focused) document.getElementById(focused)?.focus();
  }

  function place(positions) {
    for (const [name, position] of Object.entries(positions)) {
      if (!wire.pending(name)) controls[name]?.show(position);
    }
  }

  function paint() {
    const shown = model.get("shown");
    wire.answered(shown.answer);
    place(shown.positions);
    patch(view, shown.html);
    summary.textContent = shown.summary;
    clearTimeout(timer);
    timer = setTimeout(() => (announce.textContent = shown.summary), QUIET_MS);
  }

  // An element with data-keys="ArrowLeft|Home|..." gets those keys: each becomes the action that data-keyed names.
  function steer(event) {
    const { keys, keyed } = event.target.dataset;
    const plain = !(event.shiftKey || event.ctrlKey || event.altKey || event.metaKey);
    if (!plain || !keys?.split("|").includes(event.key)) return false;
    event.preventDefault();
    wire.act(keyed, event.key);
    return true;
  }

  // A table with data-cells="action" says which of its cells was clicked: "row.column", from 0, without headings.
  function point(target) {
    const cell = target.closest("[data-cells] td");
    if (!cell) return;
    const before = [...cell.parentNode.children].filter((c) => c.tagName === "TD").indexOf(cell);
    wire.act(cell.closest("[data-cells]").dataset.cells, `${cell.parentNode.sectionRowIndex}.${before}`);
  }

  function press(event) {
    if (event.type === "keydown" && steer(event)) return;
    const target = event.target.closest("[data-action]");
    if (!target || !view.contains(target)) return void (event.type === "click" && point(event.target));
    if (event.type === "keydown") {
      if (target.tagName === "BUTTON" || (event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
    }
    if (target.getAttribute("aria-disabled") !== "true") {
      wire.act(target.dataset.action, target.dataset.value || "");
    }
  }

  build();
  const first = model.get("shown");
  place(first.positions);
  patch(view, first.html);
  summary.textContent = first.summary;

  view.addEventListener("click", press);
  view.addEventListener("keydown", press);
  const rebuild = () => (build(), place(model.get("shown").positions));
  model.on("change:controls", rebuild);
  model.on("change:shown", paint);
  return () => {
    clearTimeout(timer);
    wire.stop();
    model.off("change:controls", rebuild);
    model.off("change:shown", paint);
  };
}

// --- the queue: one message on its way at a time; positions that were overtaken are never sent ----------------

function queue(uid, send, late) {
  const waiting = [];
  let flying = null;
  let count = 0;
  let timer = 0;

  function pump() {
    if (flying || waiting.length === 0) return;
    flying = waiting.shift();
    flying.n = `${uid}.${++count}`;
    timer = setTimeout(() => late(true), PATIENCE_MS);
    send(flying);
    const { n } = flying;
    for (const ms of NUDGES_MS) setTimeout(() => flying?.n === n && send({ nudge: n }), ms);
  }

  return {
    set(name, position) {
      const last = waiting[waiting.length - 1];
      if (last && last.set) last.set[name] = position;
      else waiting.push({ set: { [name]: position } });
      pump();
    },
    act(action, value) {
      waiting.push({ act: action, value });
      pump();
    },
    pending: (name) => [flying, ...waiting].some((m) => m && m.set && name in m.set),
    answered(n) {
      if (!flying || flying.n !== n) return;
      clearTimeout(timer);
      late(false);
      flying = null;
      pump();
    },
    stop: () => clearTimeout(timer),
  };
}

// --- controls: spec -> { node, show(position) } ---------------------------------------------------------------

const KINDS = { slider, stepper, select, radio, segments: radio, switch: toggle, number, text, area, actions };

function slider(spec, id, wire) {
  const input = range(spec, id);
  const value = make("span", { class: "kl-value", "aria-hidden": "true" }); // spoken: aria-valuetext
  const show = (i) => showRange(input, value, spec, i);
  input.addEventListener("input", () => (show(+input.value), wire.set(spec.name, +input.value)));
  const head = make("div", { class: "kl-head" }, label(spec, id), value);
  return { node: field("kl-slider", spec, id, input, head, input), show };
}

function stepper(spec, id, wire) {
  const input = range(spec, id);
  const value = make("span", { class: "kl-value", "aria-hidden": "true" }); // spoken: aria-valuetext
  const back = push("Back", "kl-back");
  const next = push("Next", "kl-next kl-primary");
  const last = spec.texts.length - 1;
  const show = (i) => {
    showRange(input, value, spec, i);
    back.setAttribute("aria-disabled", String(i <= 0));
    next.setAttribute("aria-disabled", String(i >= last));
  };
  const go = (i) => {
    if (i < 0 || i > last) return;
    show(i);
    wire.set(spec.name, i);
  };
  input.addEventListener("input", () => go(+input.value));
  back.addEventListener("click", () => go(+input.value - 1));
  next.addEventListener("click", () => go(+input.value + 1));
  const head = make("div", { class: "kl-head" }, label(spec, id), value);
  const line = make("div", { class: "kl-steps" }, back, input, next);
  return { node: field("kl-stepper", spec, id, input, head, line), show };
}

function select(spec, id, wire) {
  const input = make("select", { id });
  input.append(...spec.texts.map((words, i) => make("option", { value: i }, words)));
  input.addEventListener("change", () => wire.set(spec.name, +input.value));
  return { node: field("kl-select", spec, id, input, label(spec, id), input), show: (i) => (input.value = i) };
}

function radio(spec, id, wire) {
  const inputs = spec.texts.map((_, i) => make("input", { type: "radio", name: id, id: `${id}-${i}`, value: i }));
  const options = spec.texts.map((words, i) => {
    inputs[i].addEventListener("change", () => wire.set(spec.name, i));
    return make("label", { class: "kl-option" }, inputs[i], make("span", {}, words));
  });
  const set = make("fieldset", { class: `kl-field kl-${spec.kind}` }, make("legend", { class: "kl-label" }, spec.label));
  set.append(make("div", { class: "kl-options" }, ...options));
  if (spec.help) {
    set.append(make("p", { class: "kl-help", id: `${id}-help` }, spec.help));
    set.setAttribute("aria-describedby", `${id}-help`);
  }
  inputs.forEach(keep);
  return { node: set, show: (i) => inputs[i] && (inputs[i].checked = true) };
}

function toggle(spec, id, wire) {
  const input = make("input", { type: "checkbox", role: "switch", id });
  input.addEventListener("change", () => wire.set(spec.name, input.checked));
  const name = label(spec, id);
  return { node: field("kl-switch", spec, id, input, input, name), show: (on) => (input.checked = on) };
}

function number(spec, id, wire) {
  const input = make("input", { type: "number", id, min: spec.low, max: spec.high, step: spec.step, required: "" });
  const wrong = make("p", { class: "kl-help kl-wrong", id: `${id}-wrong`, role: "alert" });
  input.addEventListener("input", () => {
    const ok = input.checkValidity();
    input.setAttribute("aria-invalid", String(!ok));
    const { low, high } = spec;
    wrong.textContent = ok ? "" : `A number from ${low.toLocaleString("en-US")} to ${high.toLocaleString("en-US")}.`;
    if (ok) wire.set(spec.name, input.valueAsNumber);
  });
  const unit = spec.unit ? [make("span", { class: "kl-unit" }, spec.unit)] : [];
  const name = label(spec, id, spec.unit);
  const line = make("div", { class: "kl-line" }, input, ...unit);
  const show = (value) => document.activeElement === input || (input.value = value);
  return { node: field("kl-number", spec, id, input, name, line, wrong), show };
}

function text(spec, id, wire) {
  const input = make("input", { type: "text", id, maxlength: spec.max_length, placeholder: spec.placeholder, autocomplete: "off" });
  input.addEventListener("input", () => wire.set(spec.name, input.value));
  const show = (value) => document.activeElement === input || (input.value = value);
  return { node: field("kl-text", spec, id, input, label(spec, id), input), show };
}

function area(spec, id, wire) {
  const input = make("textarea", { id, rows: spec.rows, maxlength: spec.max_length, placeholder: spec.placeholder });
  for (const name of ["autocomplete", "autocapitalize", "autocorrect"]) input.setAttribute(name, "off");
  input.spellcheck = false;
  input.addEventListener("input", () => wire.set(spec.name, input.value));
  const show = (value) => document.activeElement === input || input.value === value || (input.value = value);
  return { node: field("kl-area", spec, id, input, label(spec, id), input), show };
}

function actions(spec, id, wire) {
  const row = make("div", { class: "kl-field kl-actions", role: "group", "aria-label": spec.label });
  for (const [action, words] of spec.actions) {
    const button = push(words, "");
    button.id = `${id}-${action}`;
    button.addEventListener("click", () => wire.act(action, ""));
    row.append(button);
  }
  if (spec.help) row.append(make("p", { class: "kl-help" }, spec.help));
  return { node: row, show: () => {} };
}

function range(spec, id) {
  return make("input", { type: "range", id, min: 0, max: spec.texts.length - 1, step: 1 });
}

function showRange(input, output, spec, i) {
  input.value = i;
  input.setAttribute("aria-valuetext", spec.texts[i]);
  output.textContent = spec.texts[i];
  input.style.setProperty("--kl-filled", `${(100 * i) / Math.max(1, spec.texts.length - 1)}%`);
}

function label(spec, id, unit = "") {
  const name = make("label", { class: "kl-label", for: id }, spec.label);
  if (unit) name.append(make("span", { class: "kl-hidden" }, ` (${unit})`));
  return name;
}

function push(words, kind) {
  return keep(make("button", { type: "button", class: kind }, words));
}

function field(kind, spec, id, input, ...parts) {
  keep(input);
  const node = make("div", { class: `kl-field ${kind}` }, ...parts);
  const about = [];
  if (spec.help) {
    node.append(make("p", { class: "kl-help", id: `${id}-help` }, spec.help));
    about.push(`${id}-help`);
  }
  if (spec.kind === "number") about.push(`${id}-wrong`);
  if (about.length) input.setAttribute("aria-describedby", about.join(" "));
  return node;
}

// --- the page -------------------------------------------------------------------------------------------------

function keep(element) {
  element.setAttribute(KEYS_STAY, "");
  return element;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Make `view` show `html`, changing only what differs: focus, scrolling, folded parts and transitions survive.
function patch(view, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  fresh.content.querySelectorAll(FOCUSABLE).forEach(keep);
  const active = view.contains(document.activeElement) && document.activeElement !== view ? document.activeElement : null;
  const key = active && keyOf(active);
  children(view, fresh.content);
  if (!active || document.activeElement === active) return;
  const again = view.contains(active) ? active : key && find(view, key);
  (again || view).focus({ preventScroll: true });
  if (again?.dataset.keys) again.scrollIntoView({ block: "nearest", inline: "nearest" });
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);
const find = (view, key) => [...view.querySelectorAll("[data-key]")].find((n) => keyOf(n) === key && n.getClientRects().length);

function children(old, fresh) {
  const keyed = new Map();
  for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    const match = key ? keyed.get(key) : at && !keyOf(at) && at;
    if (!match || match.nodeName !== child.nodeName) {
      old.insertBefore(child, at);
    } else {
      if (match === at) at = at.nextSibling;
      else old.insertBefore(match, at);
      one(match, child);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function one(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  const folded = old.nodeName === "DETAILS";
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(folded && name === "open")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, fresh);
}
