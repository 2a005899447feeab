output "services" {
  description = "The service of each region, with the account that it runs as."
  value = {
    for region, service in google_cloud_run_v2_service.this : region => {
      region          = service.location
      service         = service.name
      service_account = google_service_account.this.name
      uri             = service.uri
    }
  }
}

output "regions" {
  description = "Regions that the service runs in, once it does."
  value       = toset([for service in google_cloud_run_v2_service.this : service.location])
}
