/**
 * Question: what does a frame between nodes cost outside of the socket: to encode a room broadcast,
 * and to split a chunk of the stream into frames and dispatch them?
 *
 * One iteration is one chunk of 64 KiB, filled with frames of one size, as read from a socket; then
 * the same bytes in chunks that split frames, which costs a copy of each split frame.
 *
 * @module
 */
import { dispatch, type NodeMessages, type SessionMessages } from "../../lib/mesh/dispatch.ts";
import { FRAME_BYTES_MAX, FrameReader, type FrameSink } from "../../lib/mesh/frame.ts";
import { encodeRoomBroadcast } from "../../lib/mesh/message.ts";
import { bench, size } from "../kit.ts";

const CHUNK_BYTES = size(64 * 1024, 4096);

let delivered = 0;
const owner: NodeMessages = {
  exposed() {},
  peerList() {},
  roomSink: { roomMessage: (_room, message) => void (delivered += message.length) },
};
const skip = () => undefined;
const session: SessionMessages = {
  met: { name: "a@h:1" },
  onPing: skip,
  onPong: skip,
  onGoodbye: skip,
  onBulk: skip,
  onFragment: skip,
  onTaken: skip,
  onRoomInterest: skip,
};
const receivers = { owner, actors: undefined };
const count: FrameSink = { frame: (_tag, body) => (delivered += body.length) >= 0 };
const hand: FrameSink = {
  frame: (tag, body) => dispatch(session, receivers, tag, body) === undefined,
};

for (const bytes of [64, 1024, 16 * 1024]) {
  const text = "x".repeat(bytes);
  const frame = encodeRoomBroadcast("room", text);
  const frames = Math.max(1, Math.floor(CHUNK_BYTES / frame.length));
  const chunk = new Uint8Array(frames * frame.length);
  for (let i = 0; i < frames; i++) chunk.set(frame, i * frame.length);
  const group = `${frames} frames of ${bytes} B`;
  const reader = new FrameReader(FRAME_BYTES_MAX);

  bench(`cut (${bytes} B)`, { group, baseline: true }, () => void reader.push(chunk, count));
  bench(`cut and dispatch (${bytes} B)`, { group }, () => void reader.push(chunk, hand));
  bench(`cut, from pieces of 1460 B (${bytes} B)`, { group }, () => {
    for (let at = 0; at < chunk.length; at += 1460) {
      reader.push(chunk.subarray(at, at + 1460), count);
    }
  });
  bench(`encode as many (${bytes} B)`, { group }, () => {
    for (let i = 0; i < frames; i++) delivered += encodeRoomBroadcast("room", text).length;
  });
}
