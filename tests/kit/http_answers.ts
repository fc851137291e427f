/**
 * Parses consecutive responses on a connection as a client does, and throws where a client would
 * fail.
 */

/** A response that a client has read completely. */
export interface HttpAnswer {
  readonly status: number;
  /** The headers, by name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/**
 * Returns the complete responses in `text`, and the text after them. `methods` are the methods of
 * the requests.
 */
export function readAnswers(
  text: string,
  methods: readonly string[] = [],
): { answers: HttpAnswer[]; rest: string } {
  const answers: HttpAnswer[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) return { answers, rest };
    const [line, ...lines] = rest.slice(0, end).split("\r\n");
    const found = /^HTTP\/1\.1 (\d{3}) /.exec(line!);
    if (found === null) throw new Error(`no response: ${JSON.stringify(rest.slice(0, 200))}`);
    const status = Number(found[1]);
    const headers = new Map(lines.map((each): [string, string] => {
      const colon = each.indexOf(":");
      return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()];
    }));
    const bodiless = status < 200 || status === 204 || status === 304 ||
      methods[answers.length] === "HEAD";
    const body = bodiless ? { text: "", length: 0 } : readBody(rest.slice(end + 4), headers);
    if (body === undefined) return { answers, rest };
    answers.push({ status, headers, text: body.text });
    rest = rest.slice(end + 4 + body.length);
  }
}

/**
 * Returns the body at the beginning of `text` and its encoded length; `undefined` if it is
 * incomplete.
 */
function readBody(
  text: string,
  headers: ReadonlyMap<string, string>,
): { text: string; length: number } | undefined {
  if (headers.get("transfer-encoding") !== "chunked") {
    const received = headers.get("content-length");
    // Without a length, the end of the connection ends the body.
    if (received === undefined && headers.get("connection") === "close") {
      return { text, length: text.length };
    }
    const length = Number(received);
    if (!Number.isInteger(length)) throw new Error("the end of this response is not defined");
    return text.length < length ? undefined : { text: text.slice(0, length), length };
  }
  let whole = "";
  for (let at = 0;;) {
    const line = text.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = parseInt(text.slice(at, line), 16);
    const end = line + 2 + size;
    if (text.length < end + 2) return undefined;
    if (text.slice(end, end + 2) !== "\r\n") {
      throw new Error("a chunk has another length than announced");
    }
    whole += text.slice(line + 2, end);
    at = end + 2;
    if (size === 0) return { text: whole, length: at };
  }
}
