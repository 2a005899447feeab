output "function_urls" {
  description = "URL of each function, by the name that the code gives it."
  value       = local.urls
}

output "function_names" {
  description = "Deployed name of each function."
  value       = { for name, function in google_cloudfunctions2_function.this : name => function.name }
}

output "service_accounts" {
  description = "Account of each function; k8s/ binds that of activity and sweep to what they do in a cluster."
  value       = { for name, account in google_service_account.function : name => account.email }
}

output "workflows" {
  description = "Deployed name of each workflow."
  value       = { for key, workflow in google_workflows_workflow.this : key => workflow.name }
}
