// The brain's page. Every text that was stored reaches the document as a text node, never as markup.

const API = "/api/v1";
const WINDOW = "7d";
const STEP = 50;
const MOST = 200; // what one request can list
const SETTLE_MS = 120; // several changes at once are one refresh
const RETRY_MS = [500, 1000, 2000, 5000, 10000];
// In sessionStorage, not localStorage or a cookie: it ends with the tab, no other site can make the browser send it, and
// a reload does not ask again.
const TOKEN = "routing.brain.token";

const by = (id) => document.getElementById(id);
const token = () => sessionStorage.getItem(TOKEN);

/** An element with attributes and children; strings become text. */
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function svg(name, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// --- asking the brain

class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const answer = await fetch(API + path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, body.error?.message ?? `the brain answered ${answer.status}`);
}

const get = async (path) => (await ask(path)).json();

// --- the state of the page

let shown = STEP;
let newest = 0; // number of the latest refresh; an older answer that comes late is dropped
let money = true; // whether the brain has /report
let rows = new Map();

function say(text) { by("said").textContent = text; }

function state(name, text) {
  const line = by("state");
  if (line.dataset.state === name && line.textContent === text) return;
  line.dataset.state = name;
  line.textContent = text;
}

function login(message) {
  by("content").hidden = true;
  by("login").hidden = false;
  by("forget").hidden = true;
  by("login-error").textContent = message;
  by("token").setAttribute("aria-invalid", message ? "true" : "false");
  state("login", "Waiting for the token");
  by("token").focus();
}

/** What went wrong: a missing token asks for it, everything else is the brain being away. */
function failed(error) {
  if (error instanceof Refused && error.status === 401) {
    const had = token() !== null;
    sessionStorage.removeItem(TOKEN);
    login(had ? "This token is not the brain's. Look at BRAIN_TOKEN where the brain runs." : "");
  } else if (error instanceof Refused) {
    state("away", error.message);
  } else {
    state("away", "The brain does not answer. Trying again …");
  }
}

// --- words

const percent = (share) => `${Math.round(share * 100)} %`;
const two = (rate) => rate.toFixed(2);
const arm = (name) => (name === "local" ? "local" : "Claude");
const REASONS = {
  no_pass_rate: "not measured yet",
  too_few_samples: "too few outcomes yet",
  at_or_above_floor: "its rate is at or above the floor",
  below_ceil: "its rate is below the ceil",
  split: "its rate is between ceil and floor",
  pinned: "the policy pins it",
  explored: "sent against the rate, so that the other model's stays known",
  after_local_error: "the local model failed",
  local_circuit_open: "the local model failed several times in a row and is left alone for a while",
  local_busy: "the local model had too many calls at that time",
  failed_check: "the local answer failed its check",
};
const reason = (name) => REASONS[name] ?? name ?? "no reason given";
const WORDS = { pass: "right", fail: "wrong", skip: "unknown" };

function when(ms) {
  const date = new Date(ms);
  const today = date.toDateString() === new Date().toDateString();
  const text = today ? date.toLocaleTimeString() : date.toLocaleString();
  return el("time", { datetime: date.toISOString(), title: date.toISOString() }, text);
}

function measured(rate) {
  if (rate.pass_rate === null) return "not measured";
  const interval = rate.low === null ? "" : ` (${two(rate.low)} to ${two(rate.high)})`;
  return `${two(rate.pass_rate)}${interval} of ${rate.pass + rate.fail}`;
}

// --- skills

function bar(skill) {
  const { rate, floor, ceil } = skill;
  const x = (share) => `${(share * 100).toFixed(2)}%`;
  const parts = [svg("rect", { class: "track", x: 0, y: 10, width: "100%", height: 14, rx: 4 })];
  if (rate.pass_rate !== null) {
    parts.push(svg("rect", { class: "span", x: x(rate.low), y: 12, width: x(rate.high - rate.low), height: 10, rx: 3 }));
  }
  if (ceil !== null) parts.push(svg("line", { class: "ceil", x1: x(ceil), x2: x(ceil), y1: 3, y2: 31 }));
  if (floor !== null) parts.push(svg("line", { class: "floor", x1: x(floor), x2: x(floor), y1: 3, y2: 31 }));
  if (rate.pass_rate !== null) parts.push(svg("circle", { class: "rate", cx: x(rate.pass_rate), cy: 17, r: 6 }));
  const limits = floor === null ? "" : `, ceil ${two(ceil)}, floor ${two(floor)}`;
  return svg("svg", { class: "bar", role: "img", "aria-label": `Pass rate ${measured(rate)}${limits}` }, ...parts);
}

const ROUTES = { local: "to the local model", claude: "to Claude", split: "half and half", pinned: "pinned" };

function skillItem(skill) {
  const tag = skill.route === "claude" ? "claude" : skill.route === "local" ? "local" : "soft";
  const coverage = skill.coverage === null ? "no calls" : `${percent(skill.coverage)} of ${skill.decisions} judged`;
  const last = skill.last;
  const models = skill.models.map((model) =>
    el("p", { class: "note" }, `${arm(model.arm)}${model.model ? `, ${model.model}` : ""}: ${measured(model)}`));
  return el("li", { "data-skill": skill.skill },
    el("div", { class: "head" },
      el("h3", {}, skill.skill),
      el("span", { class: `tag ${tag}`, "data-route": skill.route ?? "" }, ROUTES[skill.route] ?? "no call yet"),
      skill.locked ? el("span", { class: "tag bad" }, "locked") : null,
      skill.exploring ? el("span", { class: "tag soft" }, "exploring") : null,
      skill.held ? el("span", { class: "tag soft" }, "held") : null,
      el("span", { class: "end", "data-rate": "" }, measured(skill.rate))),
    bar(skill),
    el("div", { class: "models" }, ...models),
    el("p", { class: "note" }, last ? `Last: ${arm(last.arm)}, because ${reason(last.reason)}. ${coverage}.` : `${coverage}.`));
}

function showSkills({ skills }) {
  by("empty").hidden = skills.length > 0;
  by("skills").hidden = skills.length === 0;
  by("decisions").hidden = skills.length === 0;
  by("skill-list").replaceChildren(...skills.map(skillItem));
  const choice = by("f-skill");
  const known = [...choice.options].slice(1).map((option) => option.value);
  const names = skills.map((skill) => skill.skill);
  if (known.join("\n") === names.join("\n")) return;
  const chosen = choice.value;
  choice.replaceChildren(el("option", { value: "" }, "all"), ...names.map((name) => el("option", { value: name }, name)));
  choice.value = names.includes(chosen) ? chosen : "";
}

function showProblems({ problems }) {
  by("problems").hidden = problems.length === 0;
  by("problem-list").replaceChildren(...problems.map((problem) =>
    el("li", { "data-kind": problem.kind }, el("p", {}, problem.message), el("p", { class: "note" }, problem.cure))));
}

// --- decisions

function facts(decision) {
  const { tokens } = decision;
  const asked = decision.answered_by && decision.answered_by !== decision.model
    ? `${decision.model}, answered by ${decision.answered_by}` : decision.model;
  return [
    asked,
    decision.stage > 0 ? `stage ${decision.stage + 1}` : null,
    tokens.in === null ? null : `${tokens.in} tokens in, ${tokens.out ?? "?"} out`,
    decision.duration_ms === null ? null : `${(decision.duration_ms / 1000).toFixed(1)} s`,
    decision.cost_usd === null ? null : `$${decision.cost_usd.toFixed(4)}`,
    decision.caller === null ? null : `by ${decision.caller}`,
  ].filter((fact) => fact !== null && fact !== "").join(" · ");
}

function verdictsOf(decision) {
  const pairs = Object.entries(decision.verdicts);
  if (pairs.length === 0) return decision.error ? "no answer to judge" : "not judged";
  return pairs.map(([source, verdict]) => `${source}: ${WORDS[verdict] ?? verdict}`).join(", ");
}

function judgeButton(decision, verdict, label, kind, pressed) {
  const about = `${label}: ${decision.skill}, ${new Date(decision.at_ms).toLocaleTimeString()}`;
  const state = verdict === "retract" ? {} : { "aria-pressed": String(pressed) };
  const button = el("button", { type: "button", class: kind, "data-act": verdict, "aria-label": about, ...state }, label);
  button.addEventListener("click", () => judge(decision, verdict, label));
  return button;
}

function decisionItem(decision) {
  const mine = decision.verdicts.human;
  const acts = el("div", { class: "acts" });
  if (!decision.error) {
    acts.append(judgeButton(decision, "right", "Right", "right", mine === "pass"),
      judgeButton(decision, "wrong", "Wrong", "wrongly", mine === "fail"));
    if (mine) acts.append(judgeButton(decision, "retract", "Take back", "back", false));
  }
  acts.append(el("p", { class: "note", "data-verdicts": "" }, verdictsOf(decision)));
  if (decision.review) {
    const open = el("button", { type: "button", class: "answer", "data-act": "answer", "aria-expanded": "false" }, "Show the answer");
    open.addEventListener("click", () => showAnswer(decision, open));
    acts.append(open);
  }
  return el("li", { "data-decision": decision.id },
    el("div", { class: "head" },
      el("h3", {}, decision.skill),
      el("span", { class: `tag ${decision.arm}` }, arm(decision.arm)),
      decision.shadow ? el("span", { class: "tag soft" }, "shadow") : null,
      decision.error ? el("span", { class: "tag bad" }, `failed: ${decision.error}`) : null,
      el("span", { class: "end note" }, when(decision.at_ms))),
    el("p", {}, `Because ${reason(decision.reason)}.`),
    el("p", { class: "note" }, facts(decision)),
    acts);
}

/** Rows that did not change stay as they are, so that focus and an opened answer stay, too. */
function showDecisions({ decisions, next }) {
  const kept = new Map();
  const focused = document.activeElement?.closest?.("[data-decision]")?.dataset.decision;
  const act = document.activeElement?.dataset?.act;
  for (const decision of decisions) {
    const text = JSON.stringify(decision);
    const before = rows.get(decision.id);
    kept.set(decision.id, before?.text === text ? before : { text, node: decisionItem(decision) });
  }
  rows = kept;
  const list = by("decision-list");
  const nodes = [...kept.values()].map((row) => row.node);
  const same = nodes.length === list.children.length && nodes.every((node, i) => list.children[i] === node);
  if (!same) list.replaceChildren(...nodes);
  if (focused && act && !list.contains(document.activeElement)) {
    const row = kept.get(focused)?.node;
    (row?.querySelector(`[data-act="${act}"]`) ?? row?.querySelector("button"))?.focus();
  }
  by("none").hidden = decisions.length > 0;
  by("more").hidden = !next || shown >= MOST;
}

async function judge(decision, verdict, label) {
  try {
    await ask("/verdicts", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ decision: decision.id, verdict }),
    });
    say(`${decision.skill}: ${label}. Noted.`);
    await refresh();
  } catch (error) {
    if (error instanceof Refused && error.status !== 401) say(`Not noted: ${error.message}`);
    failed(error);
  }
}

async function showAnswer(decision, button) {
  const row = button.closest("li");
  const before = row.querySelector("pre");
  if (before) {
    before.remove();
    row.querySelector("[data-until]")?.remove();
    button.setAttribute("aria-expanded", "false");
    button.textContent = "Show the answer";
    return;
  }
  try {
    const { reviews } = await get(`/reviews?decision=${encodeURIComponent(decision.id)}`);
    const [review] = reviews;
    const text = review ? review.answer + (review.cut ? "\n[cut here]" : "") : "It is no longer kept.";
    if (review) row.append(el("p", { class: "note", "data-until": "" }, "What the model answered, kept until ", when(review.until_ms)));
    row.append(el("pre", { tabindex: "0", "aria-label": `Answer of ${decision.skill}` }, text));
    button.setAttribute("aria-expanded", "true");
    button.textContent = "Hide the answer";
  } catch (error) {
    failed(error);
  }
}

// --- money

function showMoney(report, series) {
  by("money").hidden = false;
  const { calls: all, share_local: share, cost_usd: cost, saved } = report.total;
  const part = share == null ? "" : `, ${Math.round(share * 100)} % answered at home`;
  // Without a price, and a gateway that names costs, nothing is known of money.
  const spent = cost == null ? "what they cost is not known" : `$${cost.toFixed(2)} spent`;
  const range = saved && saved.low < saved.high ? ` ($${saved.low.toFixed(2)} to $${saved.high.toFixed(2)})` : "";
  const kept = saved ? `$${saved.usd.toFixed(2)} saved${range}` : "what was saved is not known: set models.claude.price in the policy";
  by("money-total").textContent = `Last 7 days: ${all} ${all === 1 ? "call" : "calls"}${part}; ${spent}; ${kept}.`;
  by("money-note").textContent = report.counterfactual ?? "";
  const points = series.points.slice(-400);
  const width = 100 / Math.max(points.length, 1);
  const columns = points.flatMap((point, i) => {
    const calls = point.local + point.claude;
    if (calls === 0) return [];
    const home = (point.local / calls) * 100;
    const at = { x: i * width, width: width * 0.85 };
    return [svg("rect", { class: "claude", ...at, y: 0, height: 100 - home }),
      svg("rect", { class: "local", ...at, y: 100 - home, height: home })];
  });
  const calls = points.reduce((sum, point) => sum + point.local + point.claude, 0);
  const home = points.reduce((sum, point) => sum + point.local, 0);
  const since = new Date(points[0]?.at_ms ?? Date.now()).toLocaleDateString();
  const label = `Share of calls answered at home, below, and by Claude, above, from ${since} until now; at home ` +
    `${calls ? percent(home / calls) : "none"} altogether`;
  by("money-chart").replaceChildren(
    svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": label }, ...columns),
    el("p", { class: "note" }, `${label}.`));
}

async function refreshMoney() {
  if (!money) return;
  try {
    showMoney(await get(`/report?since=${WINDOW}`), await get(`/series?since=${WINDOW}`));
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
    money = false; // this brain has none
    by("money").hidden = true;
  }
}

// --- refreshing

function decisionsPath() {
  const query = new URLSearchParams({ limit: shown });
  for (const name of ["skill", "caller", "arm", "verdict"]) {
    const value = by(`f-${name}`).value.trim();
    if (value) query.set(name, value);
  }
  return `/decisions?${query}`;
}

/** A length of time in its largest unit of which there are two or more. */
function period(ms) {
  const [unit, length] = [["d", 86400000], ["h", 3600000], ["min", 60000]].find(([, one]) => ms >= 2 * one) ?? ["s", 1000];
  return `${Math.round(ms / length)} ${unit}`;
}

function showKept({ kept, keep_ms, share }) {
  by("kept").hidden = kept === 0;
  const part = share > 0 ? `${+(share * 100).toFixed(2)} % of the answers are` : "A share of the answers is";
  by("kept").textContent = `${part} kept for review, up to ${period(keep_ms)} each, as the policy says: ${kept} now. Prompts are not kept.`;
}

async function refresh() {
  const mine = ++newest;
  const [skills, problems, decisions, reviews] = await Promise.all([
    get(`/skills?window=${WINDOW}`), get("/problems"), get(decisionsPath()), get("/reviews?limit=1"),
  ]);
  if (mine !== newest) return;
  by("login").hidden = true;
  by("content").hidden = false;
  by("forget").hidden = !token();
  showSkills(skills);
  showProblems(problems);
  showDecisions(decisions);
  showKept(reviews);
  if (!performance.getEntriesByName("shown").length) performance.mark("shown");
  await refreshMoney();
}

let timer = null;
function soon() {
  if (timer) return;
  timer = setTimeout(() => { timer = null; refresh().catch(failed); }, SETTLE_MS);
}

// --- live updates: fetch and not EventSource, which cannot send the token

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
let following = null;

async function follow(signal) {
  for (let tries = 0; !signal.aborted;) {
    try {
      const events = await ask("/events", { signal });
      await refresh();
      state("live", tries > 0 ? "The brain is back. Live" : "Live");
      tries = 0;
      const reader = events.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        if (value.includes("event: change")) soon();
      }
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
      if (error instanceof Refused && error.status === 401) return;
    }
    if (signal.aborted) return;
    if (by("state").dataset.state === "live") state("away", "The brain does not answer. Trying again …");
    await wait(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
    tries += 1;
  }
}

function start() {
  following?.abort();
  following = new AbortController();
  follow(following.signal);
}

by("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = by("token").value.trim();
  by("token").value = "";
  if (!given) return;
  // A header cannot carry anything else, so it cannot be the token.
  if (!/^[\x21-\x7e]+$/.test(given)) return login("This token is not the brain's: it has characters that no token has.");
  sessionStorage.setItem(TOKEN, given);
  start();
});
by("forget").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  following?.abort();
  login("");
});
by("more").addEventListener("click", () => {
  shown = Math.min(shown + STEP, MOST);
  refresh().catch(failed);
});
by("filters").addEventListener("submit", (event) => event.preventDefault());
by("filters").addEventListener("input", () => {
  shown = STEP;
  soon();
});

start();
