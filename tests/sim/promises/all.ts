/**
 * All promises that are simulated.
 */
import type { MakePromise } from "../chaos.ts";
import { children } from "./children.ts";
import { messages } from "./messages.ts";
import { names } from "./names.ts";
import { rooms } from "./rooms.ts";
import { signals } from "./signals.ts";

/** By name. */
export const PROMISES: Readonly<Record<string, MakePromise>> = {
  messages,
  signals,
  names,
  rooms,
  children,
};
