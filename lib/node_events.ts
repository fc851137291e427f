/**
 * The events of a node, for `Node.on`.
 *
 * @module
 */
import type { SystemEvents } from "./actor/report.ts";
import type { HomeEvents } from "./cluster/home.ts";
import type { GlobalEvents } from "./cluster/registry.ts";
import type { MeshEvents } from "./mesh/mesh.ts";
import type { Warning } from "./observe/warning.ts";

/** Events of a node: of its mesh, its actors, and global names. */
export interface NodeEvents extends MeshEvents, SystemEvents, GlobalEvents, HomeEvents {
  /** A limit of the option `warnings` was reached. */
  warning: Warning;
}

/** The names of the events. */
export const NODE_EVENTS: Readonly<Record<keyof NodeEvents, true>> = {
  nodeup: true,
  nodedown: true,
  pressure: true,
  listener: true,
  clockskew: true,
  refused: true,
  dial: true,
  forgotten: true,
  nameinuse: true,
  spawn: true,
  exit: true,
  crash: true,
  restart: true,
  givenup: true,
  deadletter: true,
  mailbox: true,
  warning: true,
  name: true,
  nameconflict: true,
  quorumlost: true,
  moved: true,
  keygivenup: true,
};
