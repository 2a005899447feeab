# Optional: Cloud Build builds each image for both architectures when a tag is pushed to Git.

resource "google_service_account" "images" {
  count        = var.image_builds == null ? 0 : 1
  project      = module.platform.project
  account_id   = "${var.name}-images"
  display_name = "Builds the images that Slipway rolls out"
}

resource "google_artifact_registry_repository_iam_member" "images" {
  count      = var.image_builds == null ? 0 : 1
  project    = var.project
  location   = var.location
  repository = module.platform.repository_id
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.images[0].member
}

resource "google_project_iam_member" "images_logs" {
  count   = var.image_builds == null ? 0 : 1
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.images[0].member
}

resource "google_cloudbuild_trigger" "images" {
  count           = var.image_builds == null ? 0 : 1
  project         = var.project
  location        = var.location
  name            = "${var.name}-${var.image_builds.image}"
  description     = "Builds ${var.image_builds.image} for both architectures and pushes it"
  filename        = var.image_builds.file
  service_account = google_service_account.images[0].id

  repository_event_config {
    repository = var.image_builds.repository
    push {
      tag = var.image_builds.tag
    }
  }

  substitutions = {
    _IMAGE   = "${module.platform.repository}/${var.image_builds.image}"
    _SOURCE  = var.image_builds.source
    _CONTEXT = var.image_builds.context
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.images,
    google_project_iam_member.images_logs,
  ]
}
