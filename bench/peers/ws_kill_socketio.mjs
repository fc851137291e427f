/**
 * The clients of socket.io for `ws_kill.ts`.
 *
 *     node ws_kill_socketio.mjs FOLDER NEAR MIDDLE FAR PID SECONDS
 *
 * One client publishes numbers at the server NEAR, the other receives at MIDDLE, whose process PID is
 * killed after a third of the time; then it reconnects to FAR. Prints what it received as JSON.
 */
import { createRequire } from "node:module";
import process from "node:process";

const [, , folder, near, middle, far, pid, seconds] = process.argv;
const { io } = createRequire(`${folder}/x.js`)("socket.io-client");
const options = { transports: ["websocket"], reconnectionDelay: 100, reconnectionDelayMax: 200 };
const url = (port) => `http://127.0.0.1:${port}`;
const connected = (socket) => new Promise((up) => socket.once("connect", up));

const publisher = io(url(near), options);
const receiver = io(url(middle), { ...options, query: { as: "/sub" } });
await Promise.all([connected(publisher), connected(receiver)]);
const received = [];
let isRecovered = false;
receiver.on("m", (data) => received.push(Number(data)));
receiver.on("disconnect", () => receiver.io.uri = url(far));
receiver.on("connect", () => isRecovered = receiver.recovered);
await new Promise((later) => setTimeout(later, 300));

const count = Number(seconds) * 100;
for (let i = 0; i < count; i++) {
  publisher.emit("m", String(i));
  if (i === Math.floor(count / 3)) process.kill(Number(pid), "SIGKILL");
  await new Promise((later) => setTimeout(later, 10));
}
await new Promise((later) => setTimeout(later, 2000));
process.stdout.write(JSON.stringify({ count, received, isRecovered }) + "\n");
process.exit(0);
