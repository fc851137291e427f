/**
 * Requests about the cluster: nodes, helpers, names, supervision trees and storage.
 *
 * @module
 */
import { get } from "./request.js";
import {
  flag,
  list,
  maybeNumber,
  maybeText,
  number,
  numberOf,
  object,
  objectOf,
  shape,
  text,
  time,
} from "./values.js";

/** @import * as model from "../model.js" */
/** @import { Signal } from "./request.js" */

/** Converts JSON to a node of the cluster. @type {(value: unknown) => model.ClusterNode} */
const nodeFrom = shape({
  name: text("name"),
  isHere: flag("self"),
  load: number("load"),
  unstored: number("unstored"),
  accepted: number("accepted"),
  stored: number("stored"),
  clients: number("stream_clients"),
  dropped: number("dropped_to_peers"),
  url: maybeText("http_url"),
  uptimeMs: maybeNumber("uptime_ms"),
  counters: numbersOf("counters"),
  ignored: numbersOf("ignored_items"),
  rejected: numbersOf("rejected"),
});

/**
 * Returns a function that reads an object with numeric values as pairs of key and value.
 *
 * @param {string} name
 * @returns {(raw: import("./values.js").Raw) => [string, number][]}
 */
function numbersOf(name) {
  return (raw) => Object.entries(object(name)(raw)).map(([key, n]) => [key, numberOf(n) ?? 0]);
}

/** Converts JSON to a process of a supervision tree. @type {(value: unknown) => model.TreeNode} */
const branchFrom = shape({
  name: text("id"),
  pid: maybeText("pid"),
  state: text("state"),
  isSupervisor: (raw) => raw.type === "supervisor",
  children: (raw) => list("children", branchFrom)(raw),
});

/** Converts JSON to the supervision tree of a node. @type {(value: unknown) => model.Tree} */
const treeFrom = shape({
  node: text("node"),
  root: (raw) => raw.root ? branchFrom(raw.root) : null,
});

/** Converts JSON to a `Help`: the node that helps, and the busy node. @type {(value: unknown) => model.Help} */
const helpFrom = shape({ by: text("on"), on: text("for"), pid: maybeText("pid") });

/** Converts JSON to a global name. @type {(value: unknown) => model.ClusterName} */
const nameFrom = shape({ name: text("name"), node: maybeText("node"), pid: maybeText("pid") });

/** Converts JSON to a lost node. @type {(value: unknown) => model.Loss} */
const lossFrom = shape({
  node: text("node"),
  at: time("at"),
  reason: text("reason"),
  most: maybeNumber("events_missing_max"),
});

/** Converts JSON to the state of the database. @type {(value: unknown) => model.StorageState} */
const storageFrom = shape({
  ok: flag("ok"),
  engine: text("engine"),
  latencyMs: maybeNumber("latencyMs", "latency_ms"),
  problem: maybeText("problem"),
});

/** Converts JSON to the counters of all nodes. @type {(value: unknown) => model.Totals} */
const totalsFrom = shape({
  counters: numbersOf("counters"),
  ignored: numbersOf("ignored_items"),
  rejected: numbersOf("rejected"),
});

/** Converts JSON to the state of the cluster. @type {(value: unknown) => model.Cluster} */
const clusterFrom = shape({
  here: text("node"),
  isAlone: flag("standalone"),
  nodes: list("nodes", nodeFrom),
  helps: list("processors", helpFrom),
  names: list("names", nameFrom),
  trees: list("trees", treeFrom),
  losses: list("losses", lossFrom),
  storage: (raw) => storageFrom(objectOf(raw.storage)),
  totals: (raw) => totalsFrom(objectOf(raw.totals)),
});

/** Returns the state of the cluster. @param {Signal} [signal] */
export async function cluster(signal) {
  return clusterFrom(await get("/cluster", {}, signal));
}
