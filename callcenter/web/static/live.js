// The wallboard: one socket to /api/v1/live, drawn with textContent only.
// The first state message is the whole truth, so a lost connection needs no more than a new subscription.
// Of a large center only what changed comes afterwards, and is put in its place here.

const PHASES = { ivr: "In the menu", waiting: "Waiting", ringing: "Ringing", talking: "Talking" };
const GROUPS = [
  ["available", "Available"],
  ["reserved", "Reserved"],
  ["ringing", "Ringing"],
  ["talking", "Talking"],
  ["wrap_up", "Wrap-up"],
  ["break", "On a break"],
  ["offline", "Offline"],
];
const MAX_CARDS = 24;
const MAX_LINES = 60;
const PARTIAL_KEPT_MS = 30000; // nobody speaks longer without a pause: its end was lost
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15000;
const POLICY_VIOLATION = 1008;

const board = document.querySelector("main.board");
const serviceLevelS = Number(board.dataset.serviceLevelS);
let clockSkewMs = Date.parse(board.dataset.now) - Date.now();
let delayMs = FIRST_DELAY_MS;
let agentNames = new Map();
const drawnWords = new Map(); // call -> set of segment ids, which also tells whose words were fetched

const byId = (id) => document.getElementById(id);
const clone = (name) => byId(`${name}-template`).content.firstElementChild.cloneNode(true);

function put(node, field, text) {
  const target = node.querySelector(`[data-field="${field}"]`);
  if (target.textContent !== String(text)) target.textContent = text;
}

function since(node, at) {
  node.querySelector("[data-age]").dataset.since = at ?? "";
}

function spell(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

// Make the children of `parent` those of `rows`, in order, keeping the nodes that are there already.
function reconcile(parent, rows, key, make, fill) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  rows.forEach((row, index) => {
    const id = key(row);
    const node = known.get(id) ?? make();
    known.delete(id);
    node.dataset.key = id;
    fill(node, row);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  known.forEach((node) => node.remove());
}

function fillQueue(node, row) {
  put(node, "name", row.name);
  put(node, "waiting", row.waiting);
  put(node, "callbacks", row.callbacks);
  since(node, row.oldest_at);
  put(node, "wait_text", waitText(row));
  put(node, "level_text", levelText(row.today));
  put(node, "answered_text", `${row.today.answered} of ${row.today.offered}`);
  put(node, "agents_text", `${row.agents.available} free of ${row.agents.signed_in}`);
}

function waitText(row) {
  const wait = row.estimated_wait;
  return wait ? `${spell(wait.p50_s)} to ${spell(wait.p90_s)}` : "–";
}

function levelText(today) {
  const share = today.service_level.value;
  return share === null ? "–" : `${Math.round(100 * share)} %`;
}

function fillAgent(node, row) {
  put(node, "name", row.name);
  put(node, "reason", row.state === "break" ? row.reason : "");
  since(node, row.since);
}

function fillGroup(node, group) {
  node.dataset.state = group.state;
  put(node, "title", group.title);
  put(node, "count", group.agents.length);
  reconcile(node.querySelector("ul"), group.agents, (row) => row.id, () => clone("agent"), fillAgent);
}

function phaseText(row) {
  const who = row.phase === "talking" ? `with ${agentNames.get(row.agent_id) ?? row.agent_id}` : "";
  const where = row.queue && row.phase !== "ivr" ? `· ${row.queue}` : "";
  return [PHASES[row.phase] ?? "", who, where].filter(Boolean).join(" ");
}

function fillCall(node, row) {
  node.dataset.phase = row.phase;
  put(node, "from", row.from || "unknown");
  put(node, "phase_text", phaseText(row));
  since(node, row.started_at);
}

function fillEnded(node, row) {
  const agent = agentNames.get(row.agent_id) ?? row.agent_id;
  put(node, "from", row.from || "unknown");
  put(node, "where", [row.queue, agent].filter(Boolean).map((part) => `· ${part}`).join(" "));
  put(node, "length", spell((Date.parse(row.ended_at) - Date.parse(row.started_at)) / 1000));
  node.querySelector("[data-clock]").dataset.clock = row.ended_at;
  put(node, "outcome_text", (row.outcome ?? "").replaceAll("_", " "));
  node.querySelector("[data-outcome]").dataset.outcome = row.outcome ?? "";
}

const KEYS = { queues: "name", agents: "id", calls: "call_id", ended: "call_id" };
const ORDERS = {
  queues: (one, other) => compare(one.name, other.name),
  agents: (one, other) => compare(one.id, other.id),
  calls: (one, other) =>
    compare(rank(one), rank(other)) || compare(other.started_at, one.started_at) || compare(one.call_id, other.call_id),
  ended: (one, other) => compare(other.ended_at, one.ended_at) || compare(one.call_id, other.call_id),
};
const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
const rank = (call) => (call.phase === "talking" ? 0 : call.phase === "ivr" ? 2 : 1);
let latest = null;

// The state as it is after a change: rows that are new or differ, and those that are gone.
function changed(state, change) {
  const next = { ...state, ...(change.totals && { totals: change.totals }), now: change.now };
  Object.entries(KEYS).forEach(([name, key]) => {
    const rows = change[name];
    const gone = change[`${name}_gone`];
    if (!rows && !gone) return;
    const known = new Map(state[name].map((row) => [row[key], row]));
    gone?.forEach((id) => known.delete(id));
    rows?.forEach((row) => known.set(row[key], row));
    next[name] = [...known.values()].sort(ORDERS[name]);
  });
  return next;
}

function drawState(state) {
  latest = state;
  clockSkewMs = Date.parse(state.now) - Date.now();
  agentNames = new Map(state.agents.map((row) => [row.id, row.name]));
  const groups = GROUPS.map(([name, title]) => ({
    state: name,
    title,
    agents: state.agents.filter((row) => row.state === name),
  })).filter((group) => group.agents.length);
  reconcile(byId("queues"), state.queues, (row) => row.name, () => clone("queue"), fillQueue);
  reconcile(byId("agents"), groups, (group) => group.state, () => clone("agent-group"), fillGroup);
  const shown = state.calls.slice(0, MAX_CARDS);
  const hidden = state.calls.length - shown.length;
  byId("more").textContent = hidden ? `and ${hidden} more` : "";
  reconcile(byId("calls"), shown, (row) => row.call_id, () => clone("call"), fillCall);
  reconcile(byId("ended"), state.ended, (row) => row.call_id, () => clone("ended"), fillEnded);
  const open = new Set(shown.map((row) => row.call_id));
  [...drawnWords.keys()].filter((id) => !open.has(id)).forEach((id) => drawnWords.delete(id));
  open.forEach(fetchWords);
  tick();
}

// Words that were said before we watched. Those that come over the socket meanwhile are told by their id.
async function fetchWords(callId) {
  if (drawnWords.has(callId)) return;
  drawnWords.set(callId, new Set());
  try {
    const answer = await fetch(`/api/v1/calls/${callId}/transcript`);
    if (answer.ok) (await answer.json()).segments.forEach(drawSegment);
  } catch {
    drawnWords.delete(callId); // the connection is gone; the next state message asks again
  }
}

const speakerOf = (spoken) => (spoken.leg === "agent" ? "Agent" : "Caller");

function wordsOf(callId) {
  const call = [...byId("calls").children].find((node) => node.dataset.key === callId);
  return call?.querySelector(".words");
}

function drawSegment(segment) {
  const list = wordsOf(segment.call_id);
  const drawn = drawnWords.get(segment.call_id);
  if (!list || !drawn || drawn.has(segment.segment_id)) return;
  drawn.add(segment.segment_id);
  const line = clone("words");
  line.className = segment.leg;
  line.querySelector(".speaker").textContent = speakerOf(segment) + (segment.degraded ? " · came late" : "");
  line.querySelector(".text").textContent = segment.text;
  const partial = partialOf(list, segment.leg);
  if (partial && isOver(segment, Number(partial.dataset.number), Number(partial.dataset.start))) partial.remove();
  place(list, line, segment);
}

// A line at its place in time; who has read to the end goes on reading at the end.
function place(list, line, spoken) {
  Object.assign(line.dataset, { start: spoken.start_ms, end: spoken.end_ms, number: spoken.number ?? 0 });
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const others = [...list.children].filter((node) => node !== line);
  const later = others.find((node) => Number(node.dataset.start) > spoken.start_ms);
  if (line.parentNode !== list || line.nextElementSibling !== (later ?? null)) list.insertBefore(line, later ?? null);
  while (list.children.length > MAX_LINES) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

// What is being said: one line for each leg until its segment comes, which may even be before the partial.
function drawPartial(partial) {
  const list = wordsOf(partial.call_id);
  if (!list) return;
  const finals = [...list.querySelectorAll(`.${partial.leg}:not(.partial)`)].map(({ dataset }) => ({
    number: Number(dataset.number),
    end_ms: Number(dataset.end),
  }));
  if (finals.some((segment) => isOver(segment, partial.number, partial.start_ms))) return;
  const known = partialOf(list, partial.leg);
  if (known && Number(known.dataset.start) > partial.start_ms) return; // of an utterance before this one
  if (!partial.stable && !partial.volatile) {
    known?.remove();
    return;
  }
  const line = known ?? clone("partial");
  line.classList.add(partial.leg);
  line.dataset.at = Date.now();
  line.querySelector(".speaker").textContent = speakerOf(partial);
  line.querySelector(".stable").textContent = partial.stable;
  line.querySelector(".volatile").textContent = partial.volatile;
  place(list, line, partial);
}

const partialOf = (list, leg) => list.querySelector(`.partial.${leg}`);

// Numbers begin again where a leg is listened to anew, but later.
const isOver = (segment, number, startMs) => segment.number >= number && segment.end_ms > startMs;

function tick() {
  const now = Date.now() + clockSkewMs;
  document.querySelectorAll(".partial").forEach((line) => {
    if (Date.now() - Number(line.dataset.at) > PARTIAL_KEPT_MS) line.remove();
  });
  document.querySelectorAll("[data-age]").forEach((node) => {
    const at = node.dataset.since;
    node.textContent = at ? spell((now - Date.parse(at)) / 1000) : "–";
  });
  document.querySelectorAll(".queue").forEach((node) => {
    const at = node.querySelector("[data-age]").dataset.since;
    const waitS = at ? (now - Date.parse(at)) / 1000 : 0;
    node.dataset.urgency = waitS > serviceLevelS ? "late" : waitS > serviceLevelS / 2 ? "soon" : "calm";
  });
  document.querySelectorAll("[data-clock]").forEach((node) => {
    const at = new Date(node.dataset.clock);
    node.textContent = Number.isNaN(at.valueOf())
      ? ""
      : at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  });
}

function show(state, text) {
  const line = byId("connection");
  line.dataset.state = state;
  if (line.textContent !== text) line.textContent = text;
}

function take(message) {
  if (message.type === "state") drawState(message);
  else if (message.type === "change" && latest) drawState(changed(latest, message));
  else if (message.type === "segment") drawSegment(message);
  else if (message.type === "partial") drawPartial(message);
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
  socket.onopen = () => socket.send(JSON.stringify({ subscribe: ["state", "transcript", "partials"] }));
  socket.onmessage = (event) => {
    delayMs = FIRST_DELAY_MS;
    show("live", "Live");
    take(JSON.parse(event.data));
  };
  socket.onclose = (event) => {
    if (event.code === POLICY_VIOLATION) {
      show("lost", "Signed out: load the page again");
      return;
    }
    show("lost", "Connection lost, trying again…");
    drawnWords.clear();
    document.querySelectorAll(".words").forEach((list) => list.replaceChildren());
    setTimeout(connect, delayMs * (0.5 + Math.random() / 2));
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
  };
}

tick();
setInterval(tick, 1000);
connect();
