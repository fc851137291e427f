/**
 * Routes for the parts of Sentry's API that `sentry-cli` uses: releases, and uploads of source maps
 * as artifact bundles.
 *
 * ```
 * chunk-upload (GET)          answers with the limits, and the URL for uploads of chunks
 * artifactbundle/assemble     answers which chunks are missing
 * chunk-upload (POST)         stores these chunks
 * artifactbundle/assemble     stores the bundle
 * ```
 *
 * Bundles are found by the debug ids of their files, or by release and URL.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { concat } from "../../domain/bytes.ts";
import { NAME_CHARS_MAX } from "../../domain/limits.ts";
import { BUNDLE_BYTES_MAX, BundleError, otherTasks, readBundle } from "../../maps/bundle.ts";
import type { Membership } from "../../storage/organisations.ts";
import type { Project } from "../../storage/projects.ts";
import type { Release } from "../../storage/releases.ts";
import { iso } from "../../pipeline/time.ts";
import { HttpError } from "../http_error.ts";
import { readBytes } from "../input.ts";
import type { Field, Reply, Route, RouteInput } from "../route.ts";
import { organisationOf, personIn, projectPlaceOf } from "../scope.ts";

/** Maximum number of bytes of a chunk. Parsing a larger chunk would delay other requests. */
const CHUNK_BYTES = 1_048_576;
/** Maximum number of chunks of one request. */
const CHUNKS_MAX = 1;
/** Maximum number of bytes of a request with chunks. */
const REQUEST_BYTES_MAX: number = CHUNK_BYTES * CHUNKS_MAX + 65_536;
/** Maximum number of chunks of one bundle. */
const BUNDLE_CHUNKS_MAX: number = BUNDLE_BYTES_MAX / CHUNK_BYTES;
/**
 * Matches the names of releases, as Sentry does: not `.` or `..`, and without slashes, backslashes
 * and control characters.
 */
// deno-lint-ignore no-control-regex
const VERSION_FORM = /^(?!\.{1,2}$)[^\x00-\x1f\x7f/\\]+$/;
const SHA1 = /^[0-9a-f]{40}$/;

const VERSION: Field = { type: "string", required: true, max: NAME_CHARS_MAX };
const PROJECTS: Field = { type: "strings", max: 100, about: "slugs" };
const RELEASE = '{"version","shortVersion","dateCreated","dateReleased","projects":[{"slug"}]}';
const ORG = "/api/0/organizations/:org_id";
const DEPLOY = '{"environment","name","url","dateFinished"}';

/** The routes of sentry-cli. */
export const sentryCliRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/0",
    name: "sentryWhoAmI",
    about: "For `sentry-cli info`: returns the user of the token.",
    access: "user",
    ok: 200,
    errors: [401],
    returns: '{"version","user":{"id","email","name"},"auth":{"scopes"}}',
    handle(asked): Reply {
      const { user } = personIn(asked);
      const auth = { scopes: ["project:read", "project:releases", "org:read"] };
      return {
        json: {
          version: "0",
          user: { id: user.id, email: user.email, name: user.displayName },
          auth,
        },
      };
    },
  },
  {
    method: "GET",
    path: "/api/0/organizations",
    name: "sentryListOrganisations",
    about: "For `sentry-cli organizations list`.",
    access: "user",
    query: { cursor: { type: "string" } },
    ok: 200,
    errors: [401],
    returns: '[{"id","slug","name","dateCreated"}]',
    handle(asked): Reply {
      const organisations = personIn(asked).memberships.map(({ organisation }) => organisation);
      const options = {
        isEarlyAdopter: false,
        require2FA: false,
        requiresSso: false,
        features: [],
      };
      return {
        json: organisations.map(({ id, slug, name, createdAt }) => {
          return { id, slug, name, dateCreated: iso(createdAt), ...options };
        }),
      };
    },
  },
  {
    method: "GET",
    path: `${ORG}/chunk-upload`,
    name: "sentryUploadOptions",
    about: "For `sentry-cli`: returns the parameters of uploads.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '{"url","chunkSize","chunksPerRequest","maxFileSize","maxRequestSize","accept":[…]}',
    handle(asked): Reply {
      organisationOf(asked);
      return {
        json: {
          url: asked.url.pathname,
          chunkSize: CHUNK_BYTES,
          chunksPerRequest: CHUNKS_MAX,
          maxFileSize: BUNDLE_BYTES_MAX,
          maxRequestSize: REQUEST_BYTES_MAX,
          maxWait: 60,
          concurrency: 1,
          hashAlgorithm: "sha1",
          compression: ["gzip"],
          accept: ["artifact_bundles", "artifact_bundles_v2", "release_files", "sources"],
        },
      };
    },
  },
  {
    method: "POST",
    path: `${ORG}/chunk-upload`,
    name: "sentryUploadChunks",
    about: "For `sentry-cli`: accepts chunks of files, whose names are their SHA-1.",
    access: "user",
    reads: { "multipart/form-data": "A field `file` or `file_gzip`: at most one chunk of 1 MiB" },
    ok: 200,
    errors: [400, 401, 404, 413, 429],
    returns: "{}",
    async handle(asked): Promise<Reply> {
      const { organisation } = organisationOf(asked);
      for (const [sha1, bytes] of await chunksIn(asked.request)) {
        if (!await asked.mesher.storage.addChunk(organisation.id, sha1, bytes)) {
          throw new HttpError(429, "too many uploads are not finished", { "retry-after": "60" });
        }
      }
      return { json: {} };
    },
  },
  {
    method: "POST",
    path: `${ORG}/artifactbundle/assemble`,
    name: "sentryAssembleBundle",
    about:
      "For `sentry-cli`: assembles a bundle from its chunks and stores its files, or lists missing chunks.",
    access: "user",
    body: {
      checksum: { type: "string", required: true, min: 40, max: 40 },
      chunks: { type: "strings", required: true, min: 1, max: BUNDLE_CHUNKS_MAX },
      projects: { ...PROJECTS, required: true },
      version: { type: "string", nullable: true, max: NAME_CHARS_MAX },
      dist: { type: "string", nullable: true, max: NAME_CHARS_MAX },
    },
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"state":"ok"|"not_found"|"error","missingChunks":[…],"detail"}',
    handle: assemble,
  },
  {
    method: "GET",
    path: `${ORG}/releases`,
    name: "sentryListReleases",
    about: "For `sentry-cli`: the releases of the organisation's first projects.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: `[${RELEASE}]`,
    async handle(asked): Promise<Reply> {
      const { organisation } = organisationOf(asked);
      const { storage } = asked.mesher;
      const projects = (await storage.projects(organisation.id)).slice(0, 20);
      const lists = await Promise.all(projects.map(async (project) => {
        const { rows } = await storage.releases(organisation.id, project.id, { limit: 25 });
        return rows.map((release) => sentryRelease(release, [project]));
      }));
      return { json: lists.flat() };
    },
  },
  {
    method: "POST",
    path: `${ORG}/releases`,
    name: "sentryAddRelease",
    about: "For `sentry-cli releases new` and `archive`, which names no projects.",
    access: "user",
    body: { version: VERSION, projects: { ...PROJECTS, required: true } },
    ok: 201,
    errors: [400, 401, 404],
    returns: RELEASE,
    handle: (asked) => changeRelease(asked, asked.body["version"] as string),
  },
  {
    method: "GET",
    path: `${ORG}/releases/:version`,
    name: "sentryGetRelease",
    about: "For `sentry-cli releases info`.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: RELEASE,
    handle: (asked) => knownRelease(asked),
  },
  {
    method: "PUT",
    path: `${ORG}/releases/:version`,
    name: "sentryChangeRelease",
    about:
      "For `sentry-cli releases finalize`, `set-commits` and `archive`: creates the release if it does " +
      "not exist and `projects` are named. Commits and the status are not stored.",
    access: "user",
    body: { projects: { ...PROJECTS, nullable: true } },
    ok: 200,
    errors: [400, 401, 404],
    returns: RELEASE,
    handle: (asked) => changeRelease(asked, asked.params["version"]!),
  },
  {
    method: "GET",
    path: `${ORG}/releases/:version/deploys`,
    name: "sentryListDeploys",
    about: "For `sentry-cli deploys list`: an empty list, because deploys are not stored.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: `[${DEPLOY}]`,
    handle: async (asked) => (await knownRelease(asked), { json: [] }),
  },
  {
    method: "POST",
    path: `${ORG}/releases/:version/deploys`,
    name: "sentryAddDeploy",
    about: "For `sentry-cli deploys new`. Deploys are not stored, but counted as `deploy`.",
    access: "user",
    body: {
      environment: { type: "string", required: true, max: NAME_CHARS_MAX },
      name: { type: "string", nullable: true, max: NAME_CHARS_MAX },
      url: { type: "string", nullable: true },
    },
    ok: 201,
    errors: [400, 401, 404],
    returns: DEPLOY,
    async handle(asked): Promise<Reply> {
      await knownRelease(asked);
      const { counters, now } = asked.mesher;
      counters.addLabelled("ignored_items", "deploy");
      const { environment, name = null, url = null } = asked.body;
      const dateFinished = iso(now());
      return { json: { id: "0", environment, name, url, dateStarted: null, dateFinished } };
    },
  },
  {
    method: "PUT",
    path: "/api/0/projects/:org_id/:project_id/releases/:version",
    name: "sentryChangeProjectRelease",
    about: "The same, for one project.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: RELEASE,
    async handle(asked): Promise<Reply> {
      organisationOf(asked);
      const { project, membership } = await projectPlaceOf(asked);
      return { json: await releaseOf(asked, membership, [project], asked.params["version"]!) };
    },
  },
  {
    method: "GET",
    path: "/api/0/projects/:org_id/:project_id/releases",
    name: "sentryListProjectReleases",
    about: "For `sentry-cli releases list`: the latest releases of a project.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: `[${RELEASE}]`,
    async handle(asked): Promise<Reply> {
      organisationOf(asked);
      const { project, membership } = await projectPlaceOf(asked);
      const orgId = membership.organisation.id;
      const { rows } = await asked.mesher.storage.releases(orgId, project.id, { limit: 100 });
      return { json: rows.map((release) => sentryRelease(release, [project])) };
    },
  },
  {
    method: "POST",
    path: "/api/0/projects/:org_id/:project_id/releases",
    name: "sentryAddProjectRelease",
    about: "Creates a release of one project.",
    access: "user",
    body: { version: VERSION },
    ok: 201,
    errors: [400, 401, 404],
    returns: RELEASE,
    async handle(asked): Promise<Reply> {
      organisationOf(asked);
      const { project, membership } = await projectPlaceOf(asked);
      const version = asked.body["version"] as string;
      return { status: 201, json: await releaseOf(asked, membership, [project], version) };
    },
  },
  {
    method: "GET",
    path: `${ORG}/projects`,
    name: "sentryListProjects",
    about: "For `sentry-cli projects list`.",
    access: "user",
    query: { cursor: { type: "string" }, cursor_id: { type: "string" } },
    ok: 200,
    errors: [401, 404],
    returns: '[{"id","slug","name"}]',
    async handle(asked): Promise<Reply> {
      const { organisation } = organisationOf(asked);
      const projects = await asked.mesher.storage.projects(organisation.id);
      return { json: projects.map(({ id, slug, name }) => ({ id, slug, name })) };
    },
  },
];

/** Returns the chunks of a request by SHA-1. Throws 400 if a chunk does not match its name. */
async function chunksIn(request: Request): Promise<Map<string, Uint8Array>> {
  const body = await readBytes(request, REQUEST_BYTES_MAX);
  const type = request.headers.get("content-type") ?? "";
  let form: FormData;
  try {
    form = await new Response(body as BodyInit, { headers: { "content-type": type } }).formData();
  } catch {
    throw new HttpError(400, "the body must be multipart/form-data");
  }
  const chunks = new Map<string, Uint8Array>();
  for (const [field, file] of form) {
    if (typeof file === "string" || (field !== "file" && field !== "file_gzip")) continue;
    if (chunks.size >= CHUNKS_MAX) {
      throw new HttpError(400, `the request has more than ${CHUNKS_MAX} chunk`);
    }
    const sent = new Uint8Array(await file.arrayBuffer());
    const bytes = field === "file" ? sent : await gunzipped(sent);
    const sha1 = createHash("sha1").update(bytes).digest("hex");
    if (bytes.length > CHUNK_BYTES) throw new HttpError(413, "a chunk is too large");
    if (sha1 !== file.name) throw new HttpError(400, "a chunk does not have the SHA-1 of its name");
    chunks.set(sha1, bytes);
  }
  return chunks;
}

async function gunzipped(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: CHUNK_BYTES });
  } catch {
    throw new HttpError(400, "a chunk is not valid gzip, or too large");
  }
}

async function assemble(asked: RouteInput): Promise<Reply> {
  const membership = organisationOf(asked);
  const orgId = membership.organisation.id;
  const { storage } = asked.mesher;
  const { checksum, chunks, version = null, dist = null } = asked.body as {
    readonly checksum: string;
    readonly chunks: readonly string[];
    readonly version?: string | null;
    readonly dist?: string | null;
  };
  if (![checksum, ...chunks].every((text) => SHA1.test(text))) {
    throw new HttpError(400, "checksums must be SHA-1 in lower case");
  }
  const projects = await projectsIn(asked, membership);
  if (projects.length === 0) throw new HttpError(400, "projects must have 1 to 100 entries");
  const stored = await Promise.all(projects.map(({ id }) => storage.hasUpload(id, checksum)));
  if (stored.every(Boolean)) return { json: { state: "ok", missingChunks: [], detail: null } };
  const there = new Set(await storage.chunksAmong(orgId, chunks));
  const missingChunks = chunks.filter((sha1) => !there.has(sha1));
  if (missingChunks.length > 0) {
    return { json: { state: "not_found", missingChunks, detail: null } };
  }
  const failed = (detail: string): Reply => ({
    json: { state: "error", missingChunks: [], detail },
  });
  const found: (Uint8Array | null)[] = [];
  for (const sha1 of chunks) found.push(await storage.chunk(orgId, sha1));
  await storage.deleteChunks(orgId, chunks);
  const parts = found.filter((part) => part !== null);
  if (parts.length < found.length) return failed("a chunk has vanished: upload again");
  const hash = createHash("sha1");
  for (const part of parts) {
    hash.update(part);
    await otherTasks();
  }
  const zip = concat(parts);
  if (hash.digest("hex") !== checksum) {
    return failed("the joined chunks do not have this checksum");
  }
  try {
    const files = await readBundle(zip, { release: version, dist });
    for (const project of projects) {
      const done = await storage.addArtifacts(project.id, checksum, files);
      if (!done.ok) return failed("the project's artifacts are too many or too large");
      const release = files[0]?.release ?? version;
      if (release !== null) await storage.addRelease(orgId, project.id, release);
    }
  } catch (error) {
    if (error instanceof BundleError) return failed(error.message);
    throw error;
  }
  return { json: { state: "ok", missingChunks: [], detail: null } };
}

/**
 * Returns the projects in a body, by id or slug. Throws 404 if one does not belong to the
 * organisation.
 */
async function projectsIn(
  { mesher, body }: RouteInput,
  { organisation }: Membership,
): Promise<readonly Project[]> {
  const projects: Project[] = [];
  for (const name of body["projects"] as readonly string[] ?? []) {
    const project = await mesher.storage.project(organisation.id, name);
    if (project === null) throw new HttpError(404, `project not found: ${name.slice(0, 64)}`);
    projects.push(project);
  }
  return projects;
}

/**
 * Creates a release in the projects of the body. Without projects, returns the release, which must
 * exist.
 */
function changeRelease(asked: RouteInput, version: string): Promise<Reply> {
  const projects = asked.body["projects"] as readonly string[] | null | undefined;
  return projects?.length ? makeRelease(asked, version) : knownRelease(asked, version);
}

/** Returns a release from the first project that has it. Throws 404 if no project has it. */
async function knownRelease(
  asked: RouteInput,
  version: string = asked.params["version"]!,
): Promise<Reply> {
  const { organisation } = organisationOf(asked);
  const { storage } = asked.mesher;
  for (const project of await storage.projects(organisation.id)) {
    const release = await storage.release(organisation.id, project.id, version);
    if (release !== null) return { json: sentryRelease(release, [project]) };
  }
  throw new HttpError(404, "release not found");
}

async function makeRelease(asked: RouteInput, version: string): Promise<Reply> {
  const membership = organisationOf(asked);
  const projects = await projectsIn(asked, membership);
  const json = await releaseOf(asked, membership, projects, version);
  return asked.request.method === "POST" ? { status: 201, json } : { json };
}

async function releaseOf(
  { mesher }: RouteInput,
  { organisation }: Membership,
  projects: readonly Project[],
  version: string,
): Promise<unknown> {
  const name = version.trim();
  if (name.length > NAME_CHARS_MAX || !VERSION_FORM.test(name)) {
    throw new HttpError(400, "version is not valid");
  }
  let release: Release | undefined;
  for (const project of projects) {
    const done = await mesher.storage.addRelease(organisation.id, project.id, name);
    if (done.ok) release = done.value;
  }
  if (release === undefined) throw new HttpError(404, "project not found");
  return sentryRelease(release, projects);
}

function sentryRelease({ version, createdAt, newIssues }: Release, projects: readonly Project[]) {
  return {
    version,
    shortVersion: version,
    dateCreated: iso(createdAt),
    dateReleased: iso(createdAt),
    newGroups: newIssues,
    projects: projects.map(({ id, slug, name }) => ({ id, slug, name })),
  };
}
