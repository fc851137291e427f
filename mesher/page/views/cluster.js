/**
 * The view of the cluster: nodes and their load, lost events, helpers, names and supervision trees.
 *
 * @module
 */
import { h, safeHref } from "../dom.js";
import { empty, pair, panel } from "../parts/panel.js";
import { load } from "../parts/work.js";
import * as clusterApi from "../server/cluster.js";
import { shortName } from "../shell.js";
import { ago, count, duration, plural } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/** Interval at which the view is updated, in milliseconds. */
const REFRESH_MS = 2_000;
/** Indentation of a branch of a tree, in pixels. */
const INDENT = 20;

/**
 * Draws the view of the cluster, and updates it while it is shown.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function clusterView({ app, signal }) {
  const body = h("div", { class: "cluster" });
  /**
   * Nodes that were connected since this view was opened.
   *
   * @type {Map<string, model.ClusterNode>}
   */
  const known = new Map();
  const refresh = async (quiet = false) => {
    const focused = document.activeElement?.getAttribute("data-node");
    await load(body, signal, () => clusterApi.cluster(signal), (cluster) => {
      const gone = [...known.values()].filter(({ name }) =>
        !cluster.nodes.some((node) => node.name === name)
      );
      for (const node of cluster.nodes) known.set(node.name, node);
      app.meet(cluster.nodes.filter(({ isHere }) => !isHere));
      return draw(cluster, gone);
    }, { quiet, bones: 8 });
    const link = focused ? body.querySelector(`[data-node="${CSS.escape(focused)}"]`) : null;
    if (link instanceof HTMLElement) link.focus();
  };
  refresh();
  let isBusy = false;
  const timer = setInterval(async () => {
    // If the node does not answer, the shell of the page reports that.
    if (document.hidden || isBusy || app.lostAt !== null) return;
    isBusy = true;
    await refresh(true);
    isBusy = false;
  }, REFRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  app.onLive(signal, ({ type }) => {
    if (type === "reconnected") refresh(true);
  });
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-head" }, h("h1", null, "Cluster")),
    body,
  );
}

/**
 * Draws the state of the cluster. `gone` are nodes that are no longer connected.
 *
 * @param {model.Cluster} cluster
 * @param {readonly model.ClusterNode[]} gone
 */
function draw({ nodes, isAlone, helps, names, trees, losses, storage, totals }, gone) {
  const top = nodes.reduce((max, { load: n }) => Math.max(max, n), 1);
  return [
    h(
      "ul",
      { class: "nodes" },
      [...nodes, ...gone].toSorted((a, b) => a.name.localeCompare(b.name))
        .map((node) => gone.includes(node) ? goneCard(node) : nodeCard(node, top)),
    ),
    losses.length > 0 && panel("Nodes that have gone", { class: "flush" }, lossList(losses)),
    h(
      "div",
      { class: "grid even" },
      panel("Nodes that process for other nodes", {}, helpList(helps, isAlone)),
      panel("Storage", {}, storageTable(storage)),
      panel("Names", { class: "flush" }, nameTable(names)),
      panel("Events on all nodes, also those that have ended", {}, counterTable(totals.counters)),
      panel(
        "Items that are not stored, by type",
        {},
        countsOrNone(totals.ignored, "Nothing was ignored"),
      ),
      panel(
        "Rejected, by reason",
        {},
        countsOrNone(totals.rejected, "Nothing was rejected"),
      ),
    ),
    h(
      "div",
      { class: "nodes" },
      trees.toSorted((a, b) => a.node.localeCompare(b.node)).map(({ node, root }) =>
        panel(
          `Supervision tree of ${shortName(node)}`,
          {},
          root === null ? empty("It did not answer") : h("ul", { class: "tree" }, branch(root, 0)),
        )
      ),
    ),
  ];
}

/**
 * Draws a connected node. `top` is the highest load of all nodes, which has a full bar.
 *
 * @param {model.ClusterNode} node
 * @param {number} top
 */
function nodeCard(node, top) {
  const { name, isHere, load: n, url, accepted, stored, unstored, dropped, uptimeMs } = node;
  const bar = h("span", { class: "bar", "aria-hidden": "true" });
  bar.style.width = `${n / top * 100}%`;
  const address = isHere ? undefined : safeHref(url);
  return h(
    "li",
    { class: "node" },
    h(
      "header",
      null,
      h("i", { class: "dot" }),
      address === undefined
        ? h("b", { title: name }, name)
        : h("a", { href: `${address}/?in#/cluster`, title: name, data: { node: name } }, name),
      isHere && h("span", { class: "mini" }, "this one"),
    ),
    h(
      "div",
      { class: "node-load" },
      h("span", null, `${count(n)} events in 5 s`),
      h("span", { class: "bar-track" }, bar),
    ),
    h(
      "dl",
      { class: "node-facts" },
      pair("accepted", count(accepted)),
      pair("stored", count(stored)),
      pair("waiting", count(unstored)),
      pair("up", uptimeMs === null ? "–" : duration(uptimeMs)),
    ),
    dropped > 0 && h(
      "span",
      {
        class: "status active",
        title: "They read too slowly, and too much was waiting for them",
      },
      `dropped ${plural(dropped, "message")} to other nodes`,
    ),
  );
}

/** Draws a node that is no longer connected. @param {model.ClusterNode} node */
function goneCard({ name }) {
  return h(
    "li",
    { class: "node gone" },
    h("header", null, h("i", { class: "dot" }), h("b", { title: name }, name)),
    h("p", { class: "dim" }, "It has left, or does not answer. The others do its work."),
  );
}

/** Draws the lost nodes. @param {readonly model.Loss[]} losses */
function lossList(losses) {
  return h(
    "ul",
    { class: "rows" },
    losses.map(({ node, at, reason, most }) =>
      h(
        "li",
        { class: "row loss" },
        h("b", { title: node }, shortName(node)),
        h("span", { class: "dim" }, reason, ", ", ago(at)),
        h("span", { class: `status ${most === 0 ? "resolved" : "active"}` }, missing(most)),
      )
    ),
  );
}

/**
 * Describes how many accepted events of a lost node may be missing.
 *
 * @param {number | null} most
 */
function missing(most) {
  if (most === null) return "the number of missing events is unknown";
  return most === 0 ? "nothing is missing" : `at most ${plural(most, "event")} missing`;
}

/**
 * Draws the helpers, or a message if there are none.
 *
 * @param {readonly model.Help[]} helps
 * @param {boolean} isAlone
 */
function helpList(helps, isAlone) {
  if (helps.length === 0) {
    return isAlone
      ? empty(
        "One node, alone",
        "With several nodes, a busy node passes events to the least busy one.",
      )
      : empty("Every node processes its own events", "A loaded node asks the least loaded.");
  }
  return h(
    "ul",
    { class: "helps" },
    helps.map(({ by, on }) =>
      h("li", null, nodeName(by), h("span", null, "processes for"), nodeName(on))
    ),
  );
}

/** Draws the short name of a node, with the full name on hover. @param {string} name */
function nodeName(name) {
  return h("b", { title: name }, shortName(name));
}

/** Draws the state of the database. @param {model.StorageState} storage */
function storageTable({ engine, ok, problem, latencyMs }) {
  const state = h(
    "span",
    { class: `status ${ok ? "resolved" : "active"}` },
    ok ? "Answers" : problem ?? "Away",
  );
  return h(
    "dl",
    { class: "pairs" },
    pair("Database", engine === "postgres" ? "PostgreSQL" : "SQLite"),
    pair("State", state),
    pair(
      "Latency",
      latencyMs === null ? "–" : latencyMs < 1 ? "under 1 ms" : `${latencyMs.toFixed(1)} ms`,
    ),
  );
}

/** Draws counters with their names. @param {readonly (readonly [string, number])[]} counts */
function counterTable(counts) {
  return h(
    "dl",
    { class: "pairs numbers" },
    counts.map(([name, n]) => pair(name.replaceAll("_", " "), count(n))),
  );
}

/**
 * Draws counters, or a message if there are none.
 *
 * @param {readonly (readonly [string, number])[]} counts
 * @param {string} none
 */
function countsOrNone(counts, none) {
  return counts.length === 0 ? empty(none) : counterTable(counts);
}

/**
 * Draws the global names, and the processes that have them.
 *
 * @param {readonly model.ClusterName[]} names
 */
function nameTable(names) {
  return h(
    "ul",
    { class: "rows" },
    names.map(({ name, node, pid }) =>
      h(
        "li",
        { class: "row name" },
        h("code", null, name),
        node === null
          ? h("span", { class: "status active" }, "nowhere")
          : h("span", { class: "dim", title: `${node} ${pid ?? ""}` }, shortName(node)),
      )
    ),
  );
}

/**
 * Draws a part of a supervision tree as rows. `depth` is the level of indentation.
 *
 * @param {model.TreeNode} tree
 * @param {number} depth
 * @returns {HTMLElement[]}
 */
function branch({ name, pid, state, isSupervisor, children }, depth) {
  const row = h(
    "li",
    { class: isSupervisor ? "supervisor" : "" },
    h("span", { class: "tree-name" }, name),
    pid === null ? h("span", { class: "status active" }, state) : h("code", null, pid),
  );
  row.style.paddingInlineStart = `${depth * INDENT}px`;
  return [row, ...children.flatMap((child) => branch(child, depth + 1))];
}
