output "slos" {
  description = "Full name of each SLO."
  value       = { for title, slo in local.slos : title => slo.name }
}

output "alert_policies" {
  description = "Full name of each alert policy."
  value       = { for title, policy in google_monitoring_alert_policy.this : title => policy.name }
}
