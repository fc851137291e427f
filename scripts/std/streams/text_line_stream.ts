/**
 * A small local `@std/streams/text-line-stream`: converts text in arbitrary pieces to lines.
 *
 * @module
 */

/** Options of a {@linkcode TextLineStream}. */
export interface TextLineStreamOptions {
  /**
   * Whether a lone `\r` also ends a line. This is not supported here, because the project does not
   * use it.
   */
  allowCR?: false;
}

/** Splits text at `\n` or `\r\n`. Text after the last line break is a line if it is not empty. */
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
