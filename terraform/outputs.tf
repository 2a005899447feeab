output "repository" {
  description = "Where images are pushed to."
  value       = module.platform.repository
}

output "urls" {
  description = "Where each service answers."
  value       = { for name, balancer in module.load_balancer : name => balancer.url }
}

output "addresses" {
  description = "IP address of each load balancer, for the domain's A record."
  value       = { for name, balancer in module.load_balancer : name => balancer.address }
}

output "cluster" {
  description = "Full name of the cluster: `gke.cluster` in the policy file."
  value       = one(module.gke[*].cluster)
}

output "service_accounts" {
  description = "Account of each function. Those of activity and sweep are what k8s/ grants access to."
  value       = module.orchestrator.service_accounts
}

output "console" {
  description = "Where the console is."
  value       = one(module.console[*].url)
}

output "console_address" {
  description = "IP address of the console's load balancer, for the domain's A record."
  value       = one(module.console[*].address)
}

locals {
  # Domains that no zone was given for, and where they have to point.
  records = merge(
    { for name, service in local.balanced : service.domain => module.load_balancer[name].address if service.domain != null && service.dns_zone == null },
    try(var.console.dns_zone, "") == null ? { (var.console.domain) = module.console[0].address } : {},
  )
}

output "next" {
  description = "What to type next."
  value = join("\n", compact([
    "# Let docker push as you:",
    "gcloud auth configure-docker ${var.location}-docker.pkg.dev",
    var.cluster == null ? "" : "# Let kubectl in, then put the manifests there once, with your project in them:\n${module.gke[0].credentials_command}\nsed -i.bak \"s|/acme/|/${var.project}/|; s/@acme[.]/@${var.project}./\" k8s/base/slipway-access.yaml k8s/base/deployment.yaml k8s/base/deployment-canary.yaml\nkubectl apply --server-side -k k8s/overlays/arm",
    join("\n", [for domain, address in local.records : "# Point ${domain} to ${address}: an A record that nobody makes for you."]),
    length(local.balanced) == 0 ? "" : "# Where it answers; a certificate takes up to an hour after the domain points there:\n${join("\n", [for name, balancer in module.load_balancer : "curl ${balancer.url}"])}",
    "# Once, because Docker's default builder does not build for two platforms:",
    "docker buildx create --use",
    "# The first push goes straight to 100 %, for there is nothing yet to go back to; the second is a canary:",
    "docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v1.0.0 --tag ${module.platform.repository}/${sort(keys(var.services))[0]}:v1.0.0 --push app",
    "# Follow it:",
    "export GOOGLE_CLOUD_PROJECT=${var.project}${var.database.id == "(default)" ? "" : " SLIPWAY_STORE=firestore:${var.database.id}"}",
    "npx slipway get rollout ${sort(keys(var.services))[0]} -w",
    "gcloud workflows executions list ${module.orchestrator.workflows["rollout"]} --location=${var.location} --project=${var.project}",
    "gcloud logging read 'resource.type=\"cloud_run_revision\" resource.labels.service_name:\"${var.name}-\"' --project=${var.project} --freshness=10m --limit=20",
    var.console == null ? "" : "# Where people watch and command, once the certificate is there:\n# ${module.console[0].url}",
  ]))
}
