/**
 * How what actors do reaches another node: declared here, filled above. One of the house's two
 * hatches.
 *
 * @module
 */
import type { Home } from "../term/pid.ts";
import type { Cell } from "./cell.ts";

/** The way to one life of another node, while there is a session with it. */
export interface Line {
  /** The cell of an actor there, made if it is not known. */
  distant(id: number): Cell;
  /** A cell for whoever is registered under a name there. */
  named(name: string): Cell;
  /** Sends a message to an actor there: shorter than by its cell. */
  send(id: number, message: unknown): void;
}

/** All other nodes. */
export interface Remote {
  /** The way to where a pid is from, or why there is none. */
  lineOf(home: Home): Line | "noproc" | "noconnection";
  /** The way to the present life of a node. */
  lineTo(node: string): Line | undefined;
}

/** An actor by its name on a node, this one or another. */
export interface ActorName {
  readonly name: string;
  /** `name@host:port`. */
  readonly node: string;
}
