/**
 * Provides the channel client as a JavaScript module, for pages without a build step.
 *
 * @module
 */
import { ChannelClientError, ClientChannel, Socket } from "./socket.ts";

/**
 * Returns the client as a JavaScript module, which exports `Socket`, `ClientChannel` and
 * `ChannelClientError`. Servers with channels answer `GET /socket/client.js` with it:
 *
 *     <script type="module">
 *       import { Socket } from "/socket/client.js";
 *     </script>
 *
 * @example
 * ```ts
 * import { clientSource } from "@firn/firn/channels";
 * import { assert } from "@std/assert";
 *
 * assert(clientSource().includes("export"));
 * ```
 */
export function clientSource(): string {
  // The runtime has removed the types. A bundler may have renamed the classes.
  const parts = { ChannelClientError, ClientChannel, Socket };
  const classes = Object.values(parts).map(String);
  const names = Object.entries(parts).map(([name, each]) => {
    const own = /^class\s+([\w$]+)/.exec(String(each))?.[1] ?? name;
    return own === name ? name : `${own} as ${name}`;
  });
  return `${classes.join("\n")}\nexport { ${names.join(", ")} };\n`;
}
