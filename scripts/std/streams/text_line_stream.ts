/**
 * A small local `@std/streams/text-line-stream`: text in any pieces, lines out.
 *
 * @module
 */

/** How a {@linkcode TextLineStream} ends a line. */
export interface TextLineStreamOptions {
  /** A lone `\r` ends a line too. Not supported here: we never ask for it. */
  allowCR?: false;
}

/** Cuts text at `\n` or `\r\n`; what stands behind the last one is a line if it is not empty. */
export class TextLineStream extends TransformStream<string, string> {
  constructor(_options: TextLineStreamOptions = {}) {
    let rest = "";
    super({
      transform(text, controller) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          controller.enqueue(line.endsWith("\r") ? line.slice(0, -1) : line);
        }
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
