output "url" {
  description = "Where the console is."
  value       = "https://${var.domain}"
}

output "address" {
  description = "IP address that the domain points to."
  value       = google_compute_global_address.this.address
}

output "identity" {
  description = "Whom the console believes, as SLIPWAY_CONSOLE_IDENTITY has it: who brings a token for this backend service."
  value       = "iap:/projects/${var.project_number}/global/backendServices/${google_compute_backend_service.this.generated_id}"
}
