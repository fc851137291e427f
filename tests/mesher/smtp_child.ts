// deno-lint-ignore-file no-console
/**
 * An SMTP server in its own process: prints its port, then each mail as a line of JSON. It accepts
 * only the password "right", and exits at the end of its standard input.
 */
import process from "node:process";

const { SMTPServer } = await import("smtp-server@3.21.6" as string);
const server = new SMTPServer({
  disabledCommands: ["STARTTLS"],
  authOptional: true,
  onAuth: (
    auth: { password: string },
    _session: unknown,
    done: (error: Error | null, answer?: unknown) => void,
  ) => auth.password === "right" ? done(null, { user: "u" }) : done(new Error("no")),
  onData: async (
    stream: AsyncIterable<Uint8Array>,
    _session: unknown,
    done: (error?: Error) => void,
  ) => {
    let text = "";
    for await (const part of stream) text += new TextDecoder().decode(part);
    console.log(JSON.stringify(text));
    done();
  },
});
server.on("error", () => {});
server.listen(0, "127.0.0.1", () => console.log(server.server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
