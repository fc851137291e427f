// Sends requests with one of several HTTP clients to a server that keeps connections open, and
// prints the responses as JSON. Arguments: the name of the client, and the URL.
const [how, url] = process.argv.slice(2);

/** The requests: method, path, body. The server handles each path differently. */
const REQUESTS = [
  ["GET", "/a", undefined],
  ["POST", "/b", "counted"],
  ["PUT", "/chunks", ["in ", "chun", "ks"]],
  ["HEAD", "/c", undefined],
  ["GET", "/none", undefined],
  ["GET", "/stream", undefined],
  ["POST", "/unread", "x".repeat(100_000)],
  ["GET", "/missing", undefined],
  ["GET", "/last", undefined],
];

/** Sends the requests by Node's own client, with an agent that keeps one connection. */
async function byAgent() {
  const http = await import("node:http");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method, path, body) =>
    new Promise((resolve, reject) => {
      const request = http.request(url + path, { method, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece) => text += piece);
        response.on("end", () => resolve([response.statusCode, text]));
      });
      request.on("error", reject);
      for (const piece of [body ?? []].flat()) request.write(piece);
      request.end();
    });
  const answers = [];
  for (const [method, path, body] of REQUESTS) answers.push(await ask(method, path, body));
  // All of these concurrent requests use the one connection.
  const many = await Promise.all(Array.from({ length: 50 }, (_, i) => ask("GET", `/many/${i}`)));
  agent.destroy();
  return { answers, many: many.map(([, text]) => text) };
}

/** Sends the requests by the `fetch` of the platform or of a package. */
async function byFetch(fetch) {
  const ask = async (method, path, body) => {
    const pieces = Array.isArray(body)
      ? body.map((piece) => new TextEncoder().encode(piece))
      : null;
    const stream = pieces && new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece);
        controller.close();
      },
    });
    const init = { method, body: stream ?? body, ...(stream ? { duplex: "half" } : {}) };
    const response = await fetch(url + path, init);
    return [response.status, await response.text()];
  };
  const answers = [];
  for (const [method, path, body] of REQUESTS) answers.push(await ask(method, path, body));
  const many = [];
  for (let i = 0; i < 50; i++) many.push((await ask("GET", `/many/${i}`))[1]);
  return { answers, many };
}

const seen = how === "agent"
  ? await byAgent()
  // deno-lint-ignore no-import-prefix -- the script runs by itself, without a config
  : await byFetch(how === "undici" ? (await import("npm:undici@6")).fetch : fetch);
process.stdout.write(JSON.stringify(seen));
