/**
 * Defines the projects in the storage: their fields, queries and changes.
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
  /** The slug, unique within the organisation. */
  readonly slug: string;
  readonly platform: string | null;
  /** Age in days at which events are deleted. */
  readonly retentionDays: number;
  /** The share of events that is kept, from 0 to 1. */
  readonly sampleRate: number;
  /** The rules for removing secrets from events before they are stored. */
  readonly scrub: ScrubRules;
  readonly createdAt: number;
}

/** The settings to change. Settings that are absent stay unchanged. */
export interface ProjectSettings {
  readonly name?: string | undefined;
  readonly platform?: string | null | undefined;
  readonly retentionDays?: number | undefined;
  readonly sampleRate?: number | undefined;
  readonly scrub?: ScrubRules | undefined;
}

/** Queries and changes of projects. */
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
  /**
   * Changes settings. The caller has validated them: `retentionDays` from 1 to 3650, `sampleRate`
   * from 0 to 1.
   */
  updateProject(orgId: string, projectId: string, change: ProjectSettings): Promise<Project | null>;
  /** Deletes a project with all its data. */
  deleteProject(orgId: string, projectId: string): Promise<boolean>;
  /** Internal: returns a project by its id alone. */
  projectById(projectId: string): Promise<Project | null>;
  /** Internal: returns all projects. */
  allProjects(): Promise<readonly Project[]>;
}
