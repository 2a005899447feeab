locals {
  apis = setunion(var.apis, [
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "workflowexecutions.googleapis.com",
    "workflows.googleapis.com",
  ], var.repository.scan ? ["containeranalysis.googleapis.com", "containerscanning.googleapis.com"] : [])
}

resource "google_project_service" "this" {
  for_each = local.apis
  project  = var.project
  service  = each.key
  # Others in the project may use it too.
  disable_on_destroy = false
}

resource "google_artifact_registry_repository" "apps" {
  #checkov:skip=CKV_GCP_84:Google manages the keys; a repository with keys of its own is given with `create = false`.
  count         = var.repository.create ? 1 : 0
  project       = var.project
  location      = var.location
  repository_id = var.repository.id
  format        = "DOCKER"
  description   = "Images that Slipway rolls out."

  docker_config {
    immutable_tags = var.repository.immutable_tags
  }

  vulnerability_scanning_config {
    enablement_config = var.repository.scan ? "INHERITED" : "DISABLED"
  }

  # The manifests below an index have no tag either; the registry does not delete what an index refers to.
  cleanup_policies {
    id     = "delete-untagged"
    action = "DELETE"
    condition {
      tag_state  = "UNTAGGED"
      older_than = var.repository.untagged_expiry
    }
  }

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = var.repository.keep_recent
    }
  }

  depends_on = [google_project_service.this]
}
