/**
 * All routes of the API.
 *
 * @module
 */
import { openApiOf } from "../openapi.ts";
import type { Route } from "../route.ts";
import { activityRoutes } from "./activity.ts";
import { accountRoutes } from "./account.ts";
import { alertRoutes } from "./alerts.ts";
import { dashboardRoutes } from "./dashboard.ts";
import { eventRoutes } from "./events.ts";
import { ingestRoutes } from "./ingest.ts";
import { invitationRoutes } from "./invitations.ts";
import { issueRoutes } from "./issues.ts";
import { mergeRoutes } from "./merges.ts";
import { organisationRoutes } from "./organisations.ts";
import { projectRoutes } from "./projects.ts";
import { releaseRoutes } from "./releases.ts";
import { sentryCliRoutes } from "./sentry_cli.ts";
import { systemRoutes } from "./system.ts";
import { unsupportedRoutes } from "./unsupported.ts";

/** The routes of the API. */
export const ROUTES: readonly Route[] = [
  ...ingestRoutes,
  ...unsupportedRoutes,
  ...issueRoutes,
  ...mergeRoutes,
  ...activityRoutes,
  ...releaseRoutes,
  ...eventRoutes,
  ...dashboardRoutes,
  ...alertRoutes,
  ...projectRoutes,
  ...organisationRoutes,
  ...invitationRoutes,
  ...accountRoutes,
  ...systemRoutes,
  ...sentryCliRoutes,
  {
    method: "GET",
    path: "/api/openapi.json",
    name: "getOpenApi",
    about: "This description.",
    access: "public",
    ok: 200,
    errors: [],
    returns: "an OpenAPI 3.1 document",
    handle: () => ({ json: openApiOf(ROUTES) }),
  },
];
