/**
 * Projects: what is stored, and the queries.
 *
 * @module
 */
import type { ScrubRules } from "../domain/scrub.ts";
import type { Result } from "./result.ts";

/** A project. */
export interface Project {
  readonly id: string;
  readonly orgId: string;
  readonly name: string;
  /** Unique in its organisation. */
  readonly slug: string;
  readonly platform: string | null;
  /** Events older than this are deleted. */
  readonly retentionDays: number;
  /** Of 0 to 1: the share of events that is kept. */
  readonly sampleRate: number;
  /** What is removed from its events before they are stored. */
  readonly scrub: ScrubRules;
  readonly createdAt: number;
}

/** What may be changed of a project; what is absent stays. */
export interface ProjectSettings {
  readonly name?: string | undefined;
  readonly platform?: string | null | undefined;
  readonly retentionDays?: number | undefined;
  readonly sampleRate?: number | undefined;
  readonly scrub?: ScrubRules | undefined;
}

/** Projects. */
export interface Projects {
  createProject(
    input: {
      readonly orgId: string;
      readonly name: string;
      readonly slug: string;
      readonly platform: string | null;
    },
  ): Promise<Result<Project, "no_org" | "slug_taken">>;
  /** By id or slug. */
  project(orgId: string, idOrSlug: string): Promise<Project | null>;
  projects(orgId: string): Promise<readonly Project[]>;
  /** `retentionDays`: 1 to 3650, `sampleRate`: 0 to 1; the caller has checked. */
  updateProject(orgId: string, projectId: string, change: ProjectSettings): Promise<Project | null>;
  /** With all that it has. */
  deleteProject(orgId: string, projectId: string): Promise<boolean>;
  /** The system's own: a project by its id alone. */
  projectById(projectId: string): Promise<Project | null>;
  /** The system's own: every project. */
  allProjects(): Promise<readonly Project[]>;
}
