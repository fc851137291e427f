/**
 * The options of `mesher:load`.
 *
 * @module
 */

/** Parameters of a load. */
export interface LoadOptions {
  readonly urls: readonly string[];
  readonly key: string;
  /** Number of events per second, over all nodes. */
  readonly rate: number;
  readonly seconds: number;
  /** Number of events per request. */
  readonly batch: number;
}

/** The text of `--help`. */
export const LOAD_HELP: string = `Sends realistic events to Mesher

  deno task mesher:load --key mshr_…

  --key KEY       a project's key; or MESHER_KEY
  --url URL       a node; may be given several times    (http://127.0.0.1:8080)
  --rate N        events in a second                    (100)
  --seconds S     for so long                           (10)
  --batch B       events in a request, 1 to 100         (10)
`;

/** Parses the arguments. Returns the options or an error. */
export function readLoadOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): LoadOptions | { readonly help: true } | { readonly problem: string } {
  const urls: string[] = [];
  const numbers = new Map([["--rate", 100], ["--seconds", 10], ["--batch", 10]]);
  let key = env["MESHER_KEY"] ?? "";
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i]!.split(/=(.*)/s) as [string, string | undefined];
    if (name === "--help" || name === "-h") return { help: true };
    const value = inline ?? args[++i] ?? "";
    if (name === "--key") key = value;
    else if (name === "--url" && URL.canParse(value)) urls.push(value.replace(/\/$/, ""));
    else if (numbers.has(name) && /^\d+$/.test(value) && Number(value) >= 1) {
      numbers.set(name, Number(value));
    } else return { problem: `${name} ${JSON.stringify(value)} is not valid: see --help` };
  }
  if (key === "") return { problem: "no key: use --key with the one in mesher-first-login.txt" };
  if (numbers.get("--batch")! > 100) return { problem: "--batch is at most 100" };
  return {
    urls: urls.length === 0 ? ["http://127.0.0.1:8080"] : urls,
    key,
    rate: numbers.get("--rate")!,
    seconds: numbers.get("--seconds")!,
    batch: numbers.get("--batch")!,
  };
}
