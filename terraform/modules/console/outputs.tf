output "url" {
  description = "Where the console is."
  value       = "https://${var.domain}"
}

output "address" {
  description = "IP address that the domain points to."
  value       = google_compute_global_address.this.address
}
