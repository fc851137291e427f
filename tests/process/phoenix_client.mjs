// Runs Phoenix's own client with a Firn server. Prints its replies as JSON.
export async function talk({ Socket, Presence }, url, transport) {
  const done = (push) =>
    new Promise((resolve) => {
      push.receive("ok", (answer) => resolve(["ok", answer]))
        .receive("error", (answer) => resolve(["error", answer]))
        .receive("timeout", () => resolve(["timeout"]));
    });
  const options = { params: { user: "ann" }, ...transport && { transport } };
  const [one, two] = [new Socket(url, options), new Socket(url, options)];
  const answers = {};
  for (const socket of [one, two]) socket.connect();
  const mine = one.channel("room:phoenix", { name: "one" });
  const yours = two.channel("room:phoenix", { name: "two" });
  const observed = [];
  yours.on("said", (payload) => observed.push(payload));
  const presence = new Presence(yours);
  const joins = [];
  presence.onJoin((key) => joins.push(key));
  answers.join = [await done(mine.join()), await done(yours.join())];
  answers.rejected = await done(one.channel("room:secret").join());
  answers.unmatched = await done(one.channel("none").join());
  answers.say = await done(mine.push("say", { text: "hello" }));
  answers.refused = await done(mine.push("refuse", {}));
  answers.binary = await done(mine.push("echo", new Uint8Array([1, 2, 255]).buffer));
  answers.binary[1] = [...new Uint8Array(answers.binary[1])];
  const until = async (condition) => {
    for (let i = 0; i < 1000 && !condition(); i++) {
      await new Promise((wake) => setTimeout(wake, 10));
    }
  };
  await until(() => observed.length > 0 && presence.list((key) => key).length === 2);
  answers.observed = [...observed];
  answers.present = presence.list((key) => key).sort();
  // When the handler throws, the client rejoins on its own.
  mine.push("crash", {});
  let errors = 0;
  mine.onError(() => errors++);
  await until(() => errors > 0);
  await until(() => mine.state === "joined");
  answers.again = await done(mine.push("say", { text: "again" }));
  // When the connection is lost, both clients reconnect, and the presence is the same as before.
  two.conn.close(4000);
  await until(() => yours.state !== "joined");
  await until(() => yours.state === "joined" && presence.list((key) => key).length === 2);
  answers.back = presence.list((key) => key).sort();
  answers.left = await done(yours.leave());
  await until(() => yours.state === "closed");
  answers.state = yours.state;
  for (const socket of [one, two]) await new Promise((closed) => socket.disconnect(closed));
  return answers;
}
