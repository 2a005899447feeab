output "cluster" {
  description = "Full name of the cluster: `gke.cluster` in the policy file."
  value       = "projects/${var.project}/locations/${google_container_cluster.this.location}/clusters/${google_container_cluster.this.name}"
}

output "node_pool" {
  description = "Name of the ARM pool: `gke.nodePool` in the policy file. Null with Autopilot."
  value       = var.autopilot ? null : google_container_node_pool.arm[0].name
}

output "credentials_command" {
  description = "What gives kubectl access."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.this.name} --location=${google_container_cluster.this.location} --project=${var.project} --dns-endpoint"
}
