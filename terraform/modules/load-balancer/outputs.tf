output "backend_service" {
  description = "Name of the backend service: `loadBalancer.backendService` in the policy file."
  value       = google_compute_backend_service.this.name
}

output "address" {
  description = "IP address that the domain points to."
  value       = google_compute_global_address.this.address
}

output "url" {
  description = "Where the service answers."
  value       = local.is_https ? "https://${var.domain}" : "http://${google_compute_global_address.this.address}"
}
