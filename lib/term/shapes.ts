/**
 * Numbers the shapes of objects. A shape is the list of an object's keys, in order. Sender and
 * receiver number the shapes of a session in the same way. From the second object with the same
 * shape on, one number is sent instead of the keys.
 *
 * The sender finds the number by walking a tree of keys from the root, one step per key:
 *
 *     root ─ type ┬ by             shape 0: { type, by }
 *                 └ name ─ age     shape 1: { type, name, age }
 *
 * Each tree node caches the child that was used last, because usually the same child is used next.
 * The steps from the root vary more. Each node therefore also caches the first step that was used
 * for an object that is the value of its key.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { SHAPE_KEY_LENGTH_MAX, SHAPE_KEYS_MAX, SHAPES_MAX } from "./tags.ts";

/**
 * Number of tree nodes at which a sender clears its tree. It is reached only if many terms with new
 * shapes are reverted, because their nodes stay in the tree.
 */
const NODES_MAX: number = SHAPES_MAX * SHAPE_KEYS_MAX;

/** A node of the tree. It represents the keys on the path from the root. */
export class ShapeNode {
  /** The last key of the path. */
  readonly key: string;
  readonly parent: ShapeNode | undefined;
  /** Number of keys on the path. */
  readonly depth: number;
  /** Number of the shape with exactly these keys, or -1. */
  shape = -1;
  /** The child that the previous walk through this node used. */
  last: ShapeNode | undefined;
  /**
   * The tree node of the first key of the last object that was a value of this key, or an element
   * of an array that was a value of this key.
   */
  inner: ShapeNode | undefined;
  /** All children, if there are at least two. */
  #children: Map<string, ShapeNode> | undefined;

  constructor(key: string, parent: ShapeNode | undefined) {
    this.key = key;
    this.parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.last = undefined;
    this.inner = undefined;
    this.#children = undefined;
  }

  /** Returns the child for `key`, which becomes the cached one. */
  find(key: string): ShapeNode | undefined {
    const child = this.last?.key === key ? this.last : this.#children?.get(key);
    if (child !== undefined) this.last = child;
    return child;
  }

  /** Adds a child, which becomes the cached one. */
  add(child: ShapeNode): void {
    if (this.last !== undefined) {
      this.#children ??= new Map([[this.last.key, this.last]]);
      this.#children.set(child.key, child);
    }
    this.last = child;
  }

  /** Returns all keys on the path. */
  path(): string[] {
    return this.parent === undefined ? [] : [...this.parent.path(), this.key];
  }
}

/** The tree of the shapes that one sender has numbered. */
export class ShapeTree {
  /** The root of the tree, where each walk starts. */
  root: ShapeNode = new ShapeNode("", undefined);
  /** The tree nodes that have a shape, by the number of the shape. */
  readonly #shapes: ShapeNode[] = [];
  #nodes = 0;

  /** Number of shapes, which is also the number of the next one. */
  get count(): number {
    return this.#shapes.length;
  }

  /** Whether no further shapes can be numbered. */
  get full(): boolean {
    return this.#shapes.length >= SHAPES_MAX || this.#nodes >= NODES_MAX;
  }

  /** Makes these keys a shape. Returns its number, or -1 if these keys cannot be a shape. */
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

  /** Removes the shapes whose number is `count` or higher. */
  rollBack(count: number): void {
    while (this.#shapes.length > count) this.#shapes.pop()!.shape = -1;
    assert(this.#shapes.length === count, "rollBack cannot add shapes");
  }

  /** Removes all shapes and tree nodes. */
  clear(): void {
    this.root = new ShapeNode("", undefined);
    this.#shapes.length = 0;
    this.#nodes = 0;
  }
}

/** Creates an object of a shape. Calls `read` for the value of each key, in order. */
export type CreateObject = (read: (depth: number) => unknown, depth: number) => object;

/** The keys of one shape at the receiver. */
export interface Shape {
  readonly keys: readonly string[];
  /**
   * Whether one of the keys is a property that every object inherits. A decoder must then define
   * the property instead of assigning it.
   */
  readonly inherited: boolean;
  /** Number of objects that were decoded before {@linkcode create} was set. */
  objects: number;
  /** A compiled function that creates the objects; `undefined` if the shape is not frequent. */
  create: CreateObject | undefined;
}

/** Returns the shape with these keys, or `undefined` if these keys cannot be a shape. */
export function shapeOf(keys: readonly string[]): Shape | undefined {
  if (!canBeShape(keys)) return undefined;
  const sample: Record<string, unknown> = Object.create(null);
  for (const key of keys) sample[key] = undefined;
  // Keys that were read from an object can be assigned faster than the decoded strings.
  const own = Object.keys(sample);
  if (own.length < keys.length) return undefined;
  const inherited = own.some((key) => key in Object.prototype);
  return { keys: own, inherited, objects: 0, create: undefined };
}

/**
 * Compiles a function that creates objects with these keys by an object literal, which both
 * runtimes execute faster than assignments in a loop. The keys become string literals, and must not
 * be inherited: `__proto__` would set the prototype. Returns `undefined` if the process was started
 * without permission to compile source text.
 */
export function compileShape(keys: readonly string[]): CreateObject | undefined {
  const properties = keys.map((key) => `${JSON.stringify(key)}:read(depth)`);
  try {
    return new Function("read", "depth", `return {${properties.join(",")}}`) as CreateObject;
  } catch {
    return undefined;
  }
}

/**
 * Returns whether these keys may be a shape. A key that begins with a digit indicates a dictionary.
 */
function canBeShape(keys: readonly string[]): boolean {
  if (keys.length === 0 || keys.length > SHAPE_KEYS_MAX) return false;
  return keys.every((key) => key.length <= SHAPE_KEY_LENGTH_MAX && !startsWithDigit(key));
}

/** Returns whether a key may be an array index. */
export function startsWithDigit(key: string): boolean {
  const code = key.charCodeAt(0);
  return code >= 0x30 && code <= 0x39;
}
