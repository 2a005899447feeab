output "project" {
  description = "The project, once its APIs are enabled: who takes it from here waits for them."
  value       = var.project
  depends_on  = [google_project_service.this]
}

output "topics" {
  description = "Full name of each topic."
  value       = { for name, topic in google_pubsub_topic.this : name => topic.id }
}

output "push_service_account" {
  description = "Account that Pub/Sub calls the functions as."
  value       = google_service_account.push.email
}

output "repository" {
  description = "Where images are pushed to: HOST/PROJECT/REPOSITORY."
  value       = "${var.location}-docker.pkg.dev/${var.project}/${var.repository.id}"
  depends_on  = [google_artifact_registry_repository.apps]
}

output "repository_id" {
  description = "The repository's id, once it exists."
  value       = var.repository.id
  depends_on  = [google_artifact_registry_repository.apps]
}

output "database" {
  description = "Id of the Firestore database."
  value       = local.database
}
