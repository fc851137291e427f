/**
 * Shapes: the keys of an object, in their order. Sender and receiver number the shapes that they met in
 * a session, so that the second object with the same keys costs a number.
 *
 * The sender finds the number by walking a tree of keys, from the root, a step a key:
 *
 *     root ─ type ┬ by             shape 0: { type, by }
 *                 └ name ─ age     shape 1: { type, name, age }
 *
 * Every node remembers the child of its last step, where most steps lead again. From the root steps
 * lead everywhere, so a key also remembers where the walk of its value began.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { SHAPE_KEY_LENGTH_MAX, SHAPE_KEYS_MAX, SHAPES_MAX } from "./tags.ts";

/** A sender that failed to send new shapes again and again starts anew past so many nodes. */
const NODES_MAX: number = SHAPES_MAX * SHAPE_KEYS_MAX;

/** The keys from the root down to here. */
export class ShapeNode {
  /** The last of the keys. */
  readonly key: string;
  readonly parent: ShapeNode | undefined;
  /** How many keys. */
  readonly depth: number;
  /** The number of the shape with exactly these keys; -1 if there is none. */
  shape = -1;
  /** Where the last step led. */
  last: ShapeNode | undefined;
  /** The first step of the last object that was the value of this key, or stood in a list that was. */
  inner: ShapeNode | undefined;
  /** All children, once there are two. */
  #children: Map<string, ShapeNode> | undefined;

  constructor(key: string, parent: ShapeNode | undefined) {
    this.key = key;
    this.parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.last = undefined;
    this.inner = undefined;
    this.#children = undefined;
  }

  /** The child for `key`, which becomes the last one. */
  find(key: string): ShapeNode | undefined {
    const child = this.last?.key === key ? this.last : this.#children?.get(key);
    if (child !== undefined) this.last = child;
    return child;
  }

  /** Adds a child. */
  add(child: ShapeNode): void {
    if (this.last !== undefined) {
      this.#children ??= new Map([[this.last.key, this.last]]);
      this.#children.set(child.key, child);
    }
    this.last = child;
  }

  /** All keys down to here. */
  path(): string[] {
    return this.parent === undefined ? [] : [...this.parent.path(), this.key];
  }
}

/** The sender's shapes. */
export class ShapeTree {
  /** Where every walk begins. */
  root: ShapeNode = new ShapeNode("", undefined);
  /** The nodes that are shapes, by number. */
  readonly #shapes: ShapeNode[] = [];
  #nodes = 0;

  /** How many shapes there are. The next gets this number. */
  get count(): number {
    return this.#shapes.length;
  }

  /** No further shape has room. */
  get full(): boolean {
    return this.#shapes.length >= SHAPES_MAX || this.#nodes >= NODES_MAX;
  }

  /** Makes these keys a shape: its number, or -1 if they cannot be one. */
  define(keys: readonly string[]): number {
    if (this.full || !canBeShape(keys)) return -1;
    let node = this.root;
    for (const key of keys) {
      let child = node.find(key);
      if (child === undefined) {
        node.add(child = new ShapeNode(key, node));
        this.#nodes++;
      }
      node = child;
    }
    if (node.shape < 0) node.shape = this.#shapes.push(node) - 1;
    return node.shape;
  }

  /** Forgets the shapes from number `count` on. */
  rollBack(count: number): void {
    while (this.#shapes.length > count) this.#shapes.pop()!.shape = -1;
    assert(this.#shapes.length === count, "shapes only go back");
  }

  /** Forgets everything. */
  clear(): void {
    this.root = new ShapeNode("", undefined);
    this.#shapes.length = 0;
    this.#nodes = 0;
  }
}

/** The keys of one shape, at the receiver. */
export interface Shape {
  readonly keys: readonly string[];
  /** Every object has one of them already: it must be defined, not assigned. */
  readonly inherited: boolean;
}

/** The shape with these keys; `undefined` if they cannot be one. */
export function shapeOf(keys: readonly string[]): Shape | undefined {
  if (!canBeShape(keys)) return undefined;
  const sample: Record<string, unknown> = Object.create(null);
  for (const key of keys) sample[key] = undefined;
  // As an object gives them they are quicker to assign than as they were read.
  const own = Object.keys(sample);
  if (own.length < keys.length) return undefined;
  return { keys: own, inherited: own.some((key) => key in Object.prototype) };
}

/** Whether an object with these keys may be a shape. Digits in front are a dictionary's. */
function canBeShape(keys: readonly string[]): boolean {
  if (keys.length === 0 || keys.length > SHAPE_KEYS_MAX) return false;
  return keys.every((key) => key.length <= SHAPE_KEY_LENGTH_MAX && !startsWithDigit(key));
}

/** Whether a key may be the index of an array. */
export function startsWithDigit(key: string): boolean {
  const code = key.charCodeAt(0);
  return code >= 0x30 && code <= 0x39;
}
