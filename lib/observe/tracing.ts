/**
 * OpenTelemetry spans, for the SDK that the program has registered: an npm package, or Deno's own.
 * This file imports no package: the API's registry is an object under a well-known symbol, and this
 * file declares the types of the parts that it uses.
 *
 * A call from outside of actors and a message of a socket begin a trace. Messages, calls and spawns
 * of an actor while it handles a message continue the trace of that message, also on other nodes.
 * Operations outside of a trace create no spans.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { Call, PendingCall } from "../actor/call.ts";
import type { System, SystemTracer } from "../actor/system.ts";
import type { TraceCarrier } from "../mesh/trace_context.ts";
import { messageType } from "./message_type.ts";
import type { MessageObserver, Probes } from "./probes.ts";

/** The part of an OpenTelemetry context that is used here. */
interface TraceContext {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): TraceContext;
}

/** The part of an OpenTelemetry span context that is used here. */
interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly isRemote?: boolean;
}

/** The part of an OpenTelemetry span that is used here. */
interface TraceSpan {
  spanContext(): SpanContext;
  setStatus(status: { readonly code: number; readonly message?: string }): unknown;
  recordException?(error: unknown): void;
  end(): void;
}

/** The part of the registry of OpenTelemetry's API, version 1, that is used here. */
export interface TraceApi {
  readonly trace: {
    getTracer(name: string): {
      startSpan(
        name: string,
        options: { readonly kind: number; readonly attributes: Readonly<Record<string, string>> },
        context: TraceContext,
      ): TraceSpan;
    };
  };
  readonly context: {
    active(): TraceContext;
    with<T>(context: TraceContext, body: () => T): T;
  };
}

/** The key of the current span in a context, defined by the API. */
const SPAN_KEY: symbol = Symbol.for("OpenTelemetry Context Key SPAN");

/** The kinds of spans, with the API's numbers. */
const KIND = { INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 } as const;

/** The API's status code of a span that failed. */
const ERROR = 2;

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Returns the registry of OpenTelemetry's API if an SDK has been registered. */
export function traceApi(): TraceApi | undefined {
  const registry = (globalThis as Record<symbol, unknown>)[Symbol.for("opentelemetry.js.api.1")];
  const { trace, context } = (registry ?? {}) as Partial<TraceApi>;
  return trace === undefined || context === undefined ? undefined : registry as TraceApi;
}

/** Creates the spans of one node. */
export class NodeTracer implements MessageObserver, TraceCarrier, SystemTracer {
  readonly #api: TraceApi;
  readonly #system: System;
  readonly #tracer: ReturnType<TraceApi["trace"]["getTracer"]>;
  readonly #node: string;
  /** The trace contexts of sent messages and calls. */
  readonly #contexts = new WeakMap<object, TraceContext>();
  /** The trace contexts of the messages that async bodies are handling, by actor. */
  readonly #current = new WeakMap<object, TraceContext>();
  /** The actor that is about to send a message. */
  #sender: object | undefined;

  constructor(api: TraceApi, system: System, probes: Probes) {
    this.#api = api;
    this.#system = system;
    this.#node = system.home.node;
    this.#tracer = api.trace.getTracer("firn");
    probes.add(this);
    system.tracer = this;
  }

  sending(actor: object): void {
    this.#sender = actor;
  }

  sent(message: unknown): void {
    const caller = message instanceof PendingCall ? message.caller : this.#sender;
    this.#sender = undefined;
    const parent = this.#parent(caller);
    if (message instanceof PendingCall) {
      if (parent === undefined && message.caller !== undefined) return;
      if (isQuestion(message.request)) return;
      const span = this.#start(
        messageType(message),
        KIND.CLIENT,
        parent ?? this.#api.context.active(),
      );
      this.#contexts.set(message, withSpan(this.#api.context.active(), span));
      return message.whenOver(() => span.end());
    }
    if (!isObject(message)) return;
    // Deletes the context of an earlier send of the same object, which was part of another trace.
    if (parent === undefined) return void this.#contexts.delete(message);
    const span = this.#start(`send ${messageType(message)}`, KIND.PRODUCER, parent);
    span.end();
    this.#contexts.set(message, withSpan(this.#api.context.active(), span));
  }

  run(actor: Actor, handler: (message: never) => unknown, message: unknown): unknown {
    const parent = isObject(message) ? this.#contexts.get(message) : undefined;
    if (parent === undefined) return handler(message as never);
    const kind = message instanceof Call ? KIND.SERVER : KIND.CONSUMER;
    const span = this.#start(`handle ${messageType(message)}`, kind, parent, `${actor.pid}`);
    return this.#within(span, () => handler(message as never));
  }

  taken(actor: Actor, message: unknown): void {
    const context = isObject(message) ? this.#contexts.get(message) : undefined;
    if (context !== undefined) this.#current.set(actor, context);
    else this.#current.delete(actor);
  }

  spawned(actor: object, parent: object | undefined, name: string): void {
    const context = this.#parent(parent);
    if (context === undefined) return;
    const span = this.#start(`spawn ${name}`, KIND.INTERNAL, context);
    span.end();
    this.#current.set(actor, withSpan(this.#api.context.active(), span));
  }

  spawning(name: string, from: object | undefined, spawned: Promise<unknown>): void {
    const context = this.#parent(from);
    if (context === undefined) return;
    const span = this.#start(`spawn ${name}`, KIND.CLIENT, context);
    spawned.then(() => span.end(), (error) => {
      span.setStatus({ code: ERROR, message: `${error}` });
      span.end();
    });
  }

  root<T>(name: string, body: () => T): T {
    return this.#within(this.#start(name, KIND.SERVER, this.#api.context.active()), body);
  }

  mark(name: string): void {
    const parent = this.#parent(undefined);
    if (parent !== undefined) this.#start(name, KIND.PRODUCER, parent).end();
  }

  carry(subject: unknown): string | undefined {
    const context = isObject(subject) ? this.#contexts.get(subject) : undefined;
    const span = context?.getValue(SPAN_KEY) as TraceSpan | undefined;
    if (span === undefined) return undefined;
    const { traceId, spanId, traceFlags } = span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  }

  arrived(subject: unknown, traceparent: string): void {
    const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? [];
    if (traceId === undefined || spanId === undefined || !isObject(subject)) return;
    const traceFlags = Number.parseInt(flags!, 16);
    const span = remoteSpan({ traceId, spanId, traceFlags, isRemote: true });
    this.#contexts.set(subject, withSpan(this.#api.context.active(), span));
  }

  /** Runs a function in a span, which ends when its promise settles. */
  #within<T>(span: TraceSpan, body: () => T): T {
    const failed = (error: unknown): void => {
      span.recordException?.(error);
      span.setStatus({ code: ERROR, message: `${error}` });
      span.end();
    };
    try {
      const { context } = this.#api;
      const result = context.with(withSpan(context.active(), span), body);
      if (result instanceof Promise) result.then(() => span.end(), failed);
      else span.end();
      return result;
    } catch (error) {
      failed(error);
      throw error;
    }
  }

  /**
   * Returns the active context if it has a span. Otherwise returns the context of the message that
   * the async body of `actor` is handling, if any. Default: the running actor.
   */
  #parent(actor: object | undefined): TraceContext | undefined {
    const active = this.#api.context.active();
    if (active.getValue(SPAN_KEY) !== undefined) return active;
    return this.#current.get(actor ?? this.#system.running ?? NONE);
  }

  #start(name: string, kind: number, context: TraceContext, pid?: string): TraceSpan {
    const attributes = { "firn.node": this.#node, ...pid === undefined ? {} : { "firn.pid": pid } };
    return this.#tracer.startSpan(name, { kind, attributes }, context);
  }
}

const NONE = {};

/** Returns whether a request belongs to the observation itself. */
function isQuestion(request: unknown): boolean {
  return isObject(request) && ("$observe" in request || "$state" in request);
}

function withSpan(context: TraceContext, span: TraceSpan): TraceContext {
  return context.setValue(SPAN_KEY, span);
}

/**
 * Returns an object that represents a span of another node, of which only the identity is known.
 */
function remoteSpan(context: SpanContext): TraceSpan & Record<string, unknown> {
  const same = (): unknown => span;
  const span = {
    spanContext: () => context,
    setStatus: same,
    setAttribute: same,
    setAttributes: same,
    addEvent: same,
    addLink: same,
    addLinks: same,
    updateName: same,
    isRecording: () => false,
    recordException() {},
    end() {},
  };
  return span;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
