/**
 * The live page: one document with its style and script, so that it needs no build step. All values
 * are set as text, never as markup.
 *
 * @module
 */

/** Returns the document. `nonce` permits its style and script in the content security policy. */
export function pageText(nonce: string): string {
  return PAGE.replaceAll("NONCE", nonce);
}

const PAGE: string = String.raw`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Firn: cluster</title>
<style nonce="NONCE">
:root { color-scheme: light dark; --bg: #fafafa; --card: #fff; --text: #1c2430; --dim: #5b6675;
  --line: #d9dee5; --accent: #0b62c4; --bad: #b3261e; --good: #1b7f3b; }
@media (prefers-color-scheme: dark) { :root { --bg: #11151b; --card: #1a2029; --text: #e3e8ef;
  --dim: #9aa6b5; --line: #303a47; --accent: #6cb2ff; --bad: #ff8b83; --good: #6fd38f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 14px/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; padding: 8px 16px;
  background: var(--card); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1; }
h1 { font-size: 16px; margin: 0; } h2 { font-size: 15px; margin: 0 0 8px; }
nav { display: flex; flex-wrap: wrap; gap: 4px; }
nav a { padding: 4px 10px; border-radius: 6px; text-decoration: none; color: var(--text); }
nav a[aria-current] { background: var(--accent); color: var(--card); }
a { color: var(--accent); } :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
main { padding: 16px; display: grid; gap: 16px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px;
  overflow-x: auto; min-width: 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: 4px 12px 4px 0;
  border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
th { color: var(--dim); font-weight: 600; } td.wrap { white-space: pre-wrap; overflow-wrap: anywhere; }
.num { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: var(--bad); } .good { color: var(--good); } .dim { color: var(--dim); }
ul.tree, ul.tree ul { list-style: none; padding-left: 18px; margin: 0; } summary { cursor: pointer; }
button, select, input { font: inherit; color: inherit; background: var(--bg); border: 1px solid var(--line);
  border-radius: 6px; padding: 4px 10px; min-height: 32px; } button { cursor: pointer; }
svg { display: block; max-width: 100%; } svg text { fill: var(--text); font: 12px system-ui, sans-serif; }
.spark { stroke: var(--accent); fill: none; stroke-width: 1.5; }
.two { display: grid; grid-template-columns: minmax(0, 346px) minmax(0, 1fr); gap: 16px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 12px; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 800px) { .two { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 600px) { main { padding: 8px; } header { position: static; } td, th { padding-right: 8px; } }
</style>
</head>
<body>
<header>
<h1>Firn</h1>
<nav id="nav" aria-label="Views"></nav>
<label>Node <select id="node"></select></label>
<span id="status" class="dim" role="status"></span>
</header>
<main id="main"></main>
<script nonce="NONCE">
"use strict";
const VIEWS = { cluster: "Cluster", tree: "Trees", actors: "Actors", sockets: "Sockets", names: "Names",
  log: "Log", charts: "Charts" };
const POLL_MS = 2000;
const state = { cluster: null, node: "", history: new Map(), sparks: new Map(), by: "mailbox",
  round: 0, closed: new Set() };
const $ = (id) => document.getElementById(id);

/** Makes an element: attributes, then children; text is never markup. */
function el(name, attributes, ...children) {
  const svg = ["svg", "circle", "line", "polyline", "text", "g"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value);
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null) made.append(child);
  }
  return made;
}
async function get(name, params, method) {
  const response = await fetch("api/" + name + "?" + new URLSearchParams(params || {}),
    method ? { method, headers: { "x-firn": "1" } } : {});
  const value = await response.json().catch(() => ({ error: response.statusText }));
  if (!response.ok) throw new Error(value.error || response.statusText);
  return value;
}
function short(node) { return node.split("@")[0]; }
/** Parses a pid: <0.4> of this node, or <name@host:port 4.creation>. Returns its node and number. */
function parsePid(text) {
  const near = /^<0\.(\d+)>$/.exec(text);
  if (near) return { node: state.cluster.node, id: near[1] };
  const far = /^<(\S+) (\d+)\.\d+>$/.exec(text);
  return far && { node: far[1], id: far[2] };
}
function pidLink(pid, label) {
  const parsed = pid && parsePid(pid);
  if (!parsed) return el("span", {}, label || pid || "");
  return el("a", { href: "#/actor/" + encodeURIComponent(parsed.node) + "/" + parsed.id }, label || pid);
}
function table(heads, rows) {
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell) =>
      el("td", typeof cell === "number" ? { class: "num" } : {},
        typeof cell === "number" ? cell.toLocaleString() : cell))))));
}
function section(title, ...children) { return el("section", {}, el("h2", {}, title), children); }
function mib(bytes) { return bytes === undefined ? "" : Math.round(bytes / 1048576) + " MiB"; }
function ms(value) { return value === undefined ? "over 300 ms" : value.toFixed(1) + " ms"; }
function remember(map, key, value) {
  let list = map.get(key);
  if (!list) map.set(key, list = []);
  list.push(value);
  if (list.length > 60) list.shift();
  return list;
}
function spark(values, width, height) {
  const most = Math.max(1, ...values);
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((value, at) =>
    (at * step).toFixed(1) + "," + (height - 2 - value / most * (height - 4)).toFixed(1)).join(" ");
  return el("svg", { width, height, viewBox: "0 0 " + width + " " + height, role: "img",
    "aria-label": "latest " + values.at(-1) + ", most " + most },
    el("polyline", { class: "spark", points }));
}
function nodeStats() { return state.cluster.nodes.find((each) => each.node === state.node) || {}; }

/** Returns a map of the cluster: the nodes on a circle, with a line for each session. */
function map() {
  const { nodes } = state.cluster;
  const size = 320, center = size / 2, radius = nodes.length > 1 ? 110 : 0;
  const at = new Map(nodes.map(({ node }, index) => {
    const angle = index / nodes.length * 2 * Math.PI - Math.PI / 2;
    return [node, [center + radius * Math.cos(angle), center + radius * Math.sin(angle)]];
  }));
  const links = nodes.flatMap(({ node, sessions = [] }) => sessions.map((session) => {
    const from = at.get(node), to = at.get(session.node);
    if (!from || !to) return null;
    const slow = session.roundTripMs === undefined || session.roundTripMs > 100 || session.high;
    return el("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1],
      stroke: slow ? "var(--bad)" : "var(--good)", "stroke-width": slow ? 3 : 1.5,
      "stroke-dasharray": slow ? "6 4" : undefined });
  }));
  const dots = nodes.map(({ node, error, warnings = {} }) => {
    const [x, y] = at.get(node);
    const warned = Object.keys(warnings).length > 0;
    return el("g", {}, el("circle", { cx: x, cy: y, r: 16,
      fill: error ? "var(--bad)" : warned ? "var(--accent)" : "var(--good)" }),
      el("text", { x, y: y + 32, "text-anchor": "middle" }, short(node)));
  });
  return el("svg", { width: size, height: size, viewBox: "0 0 " + size + " " + size, role: "img",
    "aria-label": nodes.length + " nodes" }, links, dots);
}
const views = {
  cluster() {
    const { nodes } = state.cluster;
    const rows = nodes.map((each) => each.error
      ? [short(each.node), el("span", { class: "bad" }, each.error)]
      : [el("a", { href: "#/charts", onclick: () => choose(each.node) }, each.node), each.runtime,
        each.actors, each.messages, each.crashed, each.restarts, ms(each.eventLoop.max),
        mib(each.memory && each.memory.heapUsed), each.timers,
        Object.entries(each.warnings).map(([kind, count]) => kind + " " + count).join(", ")]);
    const links = nodes.flatMap((each) => (each.sessions || []).map((session) =>
      [short(each.node) + " → " + short(session.node),
        el("span", { class: session.roundTripMs === undefined || session.roundTripMs > 100 ? "bad" : "" },
          ms(session.roundTripMs)), session.queued, session.dropped, session.high ? "high" : ""]));
    return [el("div", { class: "two" }, section("Map", map()),
      section("Links", table(["link", "round trip", "bytes queued", "dropped", ""], links))),
      section("Nodes", table(["node", "runtime", "actors", "messages", "crashes", "restarts",
        "event loop delay", "heap", "timers", "warnings"], rows))];
  },
  async tree() {
    const trees = await get("tree", { node: state.node });
    const item = (entry) => {
      const notes = [entry.state === "running" ? "" : entry.state,
        entry.restarts ? entry.restarts + " restarts" : "",
        entry.mailbox ? entry.mailbox + " messages" : ""].filter(Boolean).join(", ");
      const label = [pidLink(entry.pid, entry.id), " ", el("span", { class: "dim" }, entry.pid || ""), " ",
        el("span", { class: notes ? "bad" : "" }, notes)];
      if (!entry.children) return el("li", {}, label);
      const key = state.node + entry.pid;
      return el("li", {}, el("details", { open: state.closed.has(key) ? undefined : "",
        ontoggle: (event) => event.target.open ? state.closed.delete(key) : state.closed.add(key) },
        el("summary", {}, label), el("ul", {}, entry.children.map(item))));
    };
    return [section("Supervision trees of " + state.node,
      trees.length ? el("ul", { class: "tree" }, trees.map(item)) : el("p", { class: "dim" }, "none"))];
  },
  async actors() {
    const actors = await get("top", { node: state.node, by: state.by });
    const select = el("select", { "aria-label": "Order", onchange: (event) => {
      state.by = event.target.value; show(); } },
      ["mailbox", "time", "rate", "timers"].map((by) =>
        el("option", { value: by, selected: by === state.by ? "" : undefined }, by)));
    const rows = actors.map((actor) => {
      const history = remember(state.sparks, state.by + actor.pid + state.node, actor.value);
      return [pidLink(actor.pid), actor.names.join(" "), actor.child || "", actor.body, actor.status,
        actor.mailbox, actor.handled, actor.value, spark(history, 100, 24)];
    });
    return [section("Actors of " + state.node, el("p", {}, "By ", select),
      table(["actor", "names", "child", "function", "status", "mailbox", "handled", state.by, ""], rows))];
  },
  async actor(node, id) {
    const { info, state: text } = await get("actor", { node, id });
    const pids = (list) => list.flatMap((pid) => [pidLink(pid), " "]);
    const values = {
      node: info.node, names: info.names.join(" "), "global names": info.globalNames.join(" "),
      groups: info.groups.join(" "), function: info.body,
      supervisor: info.supervisor && pidLink(info.supervisor), child: info.child,
      ancestors: pids(info.ancestors), status: info.status,
      "current message": info.current && info.current.message + ", for " + ms(info.current.ms),
      mailbox: String(info.mailbox), next: info.next.join(", "), handled: String(info.handled),
      "waits for": info.calls.map((call) => el("div", { class: "bad" }, call.request + " of ",
        pidLink(call.to, call.callee), call.ms === undefined ? "" : ", for " + ms(call.ms))),
      "calls to answer": String(info.callers), links: pids(info.links), monitors: pids(info.monitors),
      "monitored by": pids(info.monitoredBy), timers: String(info.timers),
      "traps exits": String(info.trapExit), state: text };
    const rows = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
    const sections = [section(info.pid, el("table", {}, el("tbody", {}, rows.map(([name, value]) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "wrap" }, value))))))];
    if (state.cluster.access === "control") {
      const act = (name, label) => el("button", { onclick: async () => {
        try { await get(name, { node, id }, "POST"); } catch (error) { fail(error); }
        show(); } }, label);
      const traced = el("div", {});
      sections.push(section("Control", el("p", {}, act("kill", "Kill (its supervisor restarts it)"), " ",
        act("suspend", "Suspend"), " ", act("resume", "Resume"), " ", el("button", { onclick: async () => {
          traced.replaceChildren("waiting for messages, at most 3 s …");
          state.pause = true;
          try {
            const messages = await get("trace", { node, id });
            traced.replaceChildren(table(["time", "type", "ms", "message"], messages.map((each) =>
              [new Date(each.time).toISOString().slice(11, 23), each.type, each.ms ?? "", each.message])));
          } catch (error) { fail(error); }
        } }, "Trace messages")), traced));
    }
    return sections;
  },
  sockets() {
    const { servers = [], largestRooms = [], rooms = 0 } = nodeStats();
    return [section("Servers of " + state.node, table(["url", "connections"],
      servers.map(({ url, connections }) => [url, connections]))),
      section(rooms + " rooms", table(["room", "members here"],
        largestRooms.map(({ room, members }) => [room, members])))];
  },
  async names() {
    const { names, groups } = await get("names");
    return [section("Global names", table(["name", "actor"], names.map(({ name, pid }) => [name, pidLink(pid)]))),
      section("Groups", table(["group", "members"], groups.map(({ group, members }) =>
        [group, el("span", {}, members.flatMap((pid) => [pidLink(pid), " "]))])))];
  },
  async log() {
    const entries = await get("recent", { node: state.node });
    const rows = entries.reverse().slice(0, 300).map((entry) => el("tr", {},
      el("td", {}, new Date(entry.time).toISOString().slice(11, 23)),
      el("td", { class: entry.level === "warn" || entry.level === "error" ? "bad" : "dim" },
        entry.level || "", " ", entry.event),
      el("td", {}, entry.pid ? pidLink(entry.pid) : ""), el("td", { class: "wrap" }, entry.message)));
    return [section("Recently on " + state.node + ": log, crashes, events, samples of messages",
      el("table", {}, el("tbody", {}, rows)))];
  },
  charts() {
    const history = state.history.get(state.node) || [];
    const rate = (name) => history.map((each, at) =>
      at === 0 ? 0 : Math.max(0, each[name] - history[at - 1][name]) / (POLL_MS / 1000));
    const charts = { "messages/s": rate("messages"), actors: history.map((each) => each.actors),
      "event loop delay, ms": history.map((each) => each.eventLoop.last),
      "heap, MiB": history.map((each) => each.memory ? each.memory.heapUsed / 1048576 : 0),
      timers: history.map((each) => each.timers), "crashes/s": rate("crashed"),
      "sockets": history.map((each) => each.servers.reduce((sum, { connections }) => sum + connections, 0)),
      "bytes queued": history.map((each) => each.sessions.reduce((sum, { queued }) => sum + queued, 0)) };
    return [el("div", { class: "charts" }, Object.entries(charts).map(([name, values]) =>
      section(name + ": " + (values.at(-1) || 0).toLocaleString(undefined, { maximumFractionDigits: 1 }),
        spark(values, 240, 60))))];
  },
};
function fail(error) { $("status").textContent = error.message; $("status").className = "bad"; }
function choose(node) { state.node = node; $("node").value = node; }
function route() {
  const [name = "cluster", ...rest] = location.hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  return Object.hasOwn(views, name) ? [name, ...rest] : ["cluster"];
}
async function show() {
  const round = ++state.round;
  const [name, ...rest] = route();
  for (const link of $("nav").children) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = "Firn: " + (VIEWS[name] || rest.join(" ")).toLowerCase();
  try {
    const made = await views[name](...rest);
    if (round !== state.round) return;
    const key = location.hash;
    const focused = document.activeElement && $("main").contains(document.activeElement)
      ? document.activeElement.textContent : undefined;
    $("main").replaceChildren(...made);
    $("main").dataset.view = key;
    if (focused) [...$("main").querySelectorAll("a, button, select, summary")]
      .find((each) => each.textContent === focused)?.focus({ preventScroll: true });
    $("status").textContent = state.cluster.access + " · " + new Date().toLocaleTimeString();
    $("status").className = "dim";
  } catch (error) {
    if (round !== state.round) return;
    fail(error);
    $("main").replaceChildren(section("No answer", el("p", { class: "bad" }, error.message)));
  }
}
async function poll() {
  try {
    state.cluster = await get("cluster");
    for (const each of state.cluster.nodes) if (!each.error) remember(state.history, each.node, each);
    const names = state.cluster.nodes.map(({ node }) => node);
    if (!names.includes(state.node)) state.node = state.cluster.node;
    if ([...$("node").options].map(({ value }) => value).join() !== names.join()) {
      $("node").replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    }
    $("node").value = state.node;
    if (document.activeElement?.tagName !== "SELECT" && !state.pause) await show();
  } catch (error) { fail(error); }
  setTimeout(poll, POLL_MS);
}
Object.entries(VIEWS).forEach(([name, label], index) => $("nav").append(
  el("a", { href: "#/" + name, "data-view": name, title: "Key " + (index + 1) }, label)));
$("node").addEventListener("change", (event) => { choose(event.target.value); show(); });
addEventListener("hashchange", () => { state.pause = false; show(); });
addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const name = Object.keys(VIEWS)[Number(event.key) - 1];
  if (name) location.hash = "#/" + name;
});
poll();
</script>
</body>
</html>
`;
