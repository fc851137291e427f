/**
 * Projects: stored fields and queries.
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
  /** Unique within its organisation. */
  readonly slug: string;
  readonly platform: string | null;
  /** Events older than this are deleted. */
  readonly retentionDays: number;
  /** The share of events that is kept, from 0 to 1. */
  readonly sampleRate: number;
  /** The rules for removing secrets from events before they are stored. */
  readonly scrub: ScrubRules;
  readonly createdAt: number;
}

/** The settings to change; absent ones stay. */
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
  /** Returns a project by id or slug. */
  project(orgId: string, idOrSlug: string): Promise<Project | null>;
  projects(orgId: string): Promise<readonly Project[]>;
  /** `retentionDays`: 1 to 3650; `sampleRate`: 0 to 1; the caller has validated them. */
  updateProject(orgId: string, projectId: string, change: ProjectSettings): Promise<Project | null>;
  /** Deletes the project with all its data. */
  deleteProject(orgId: string, projectId: string): Promise<boolean>;
  /** Internal: returns a project by its id alone. */
  projectById(projectId: string): Promise<Project | null>;
  /** Internal: returns all projects. */
  allProjects(): Promise<readonly Project[]>;
}
