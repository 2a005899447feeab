data "google_project" "this" {
  project_id = var.project
}

locals {
  on_cloud_run = { for name, service in var.services : name => service if length(service.regions) > 0 }
  balanced     = { for name, service in local.on_cloud_run : name => service if service.load_balancer }
  repositories = { (var.repository.id) = { location = var.location, repository = module.platform.repository_id } }
  bundle       = coalesce(var.bundle, "${path.module}/../dist/functions")
  database     = merge(var.database, { location = coalesce(var.database.location, var.location) })
  apis = setunion(
    var.cluster == null ? [] : ["container.googleapis.com"],
    var.binary_authorization || length(var.attestors) > 0 ? ["binaryauthorization.googleapis.com"] : [],
    var.reads_analysis || length(var.attestors) > 0 ? ["containeranalysis.googleapis.com"] : [],
    var.traces ? ["cloudtrace.googleapis.com", "telemetry.googleapis.com"] : [],
    anytrue(concat([for service in values(var.services) : service.dns_zone != null], [try(var.console.dns_zone, null) != null])) ? ["dns.googleapis.com"] : [],
  )
}

module "platform" {
  source         = "./modules/platform"
  project        = var.project
  project_number = data.google_project.this.number
  location       = var.location
  name           = var.name
  repository     = var.repository
  database       = local.database
  command_topics = var.command_topics
  function_urls  = module.orchestrator.function_urls
  apis           = local.apis
}

module "orchestrator" {
  source               = "./modules/orchestrator"
  project              = module.platform.project
  location             = var.location
  name                 = var.name
  bundle               = local.bundle
  policy_file          = var.policy_file
  registry_mirrors     = var.registry_mirrors
  database             = module.platform.database
  events_topic         = module.platform.topics["rollout-events"]
  push_service_account = module.platform.push_service_account
  command_topics       = { for name in setunion(["rollout-commands"], var.command_topics) : name => module.platform.topics[name] }
  console              = var.console == null ? null : { identity = module.console[0].identity, url = module.console[0].url }
  notification_secrets = var.notification_secrets
  repositories         = local.repositories
  backend_services     = toset(keys(local.balanced))
  may_reach_clusters   = coalesce(var.may_reach_clusters, var.cluster != null)
  reads_analysis       = var.reads_analysis
  traces               = var.traces
  attestors            = var.attestors
  cloud_run_services = merge([
    for name, service in local.on_cloud_run : {
      for region in service.regions : "${name} ${region}" => {
        region          = module.cloud_run[name].services[region].region
        service         = module.cloud_run[name].services[region].service
        service_account = module.cloud_run[name].services[region].service_account
      }
    }
  ]...)
}

module "cloud_run" {
  source               = "./modules/cloud-run"
  for_each             = local.on_cloud_run
  project              = module.platform.project
  service              = each.key
  regions              = each.value.regions
  public               = each.value.public
  port                 = each.value.port
  health_path          = each.value.health_path
  environment          = each.value.environment
  cpu                  = each.value.cpu
  memory               = each.value.memory
  min_instances        = each.value.min_instances
  max_instances        = each.value.max_instances
  binary_authorization = var.binary_authorization
  deletion_protection  = var.deletion_protection
}

module "load_balancer" {
  source          = "./modules/load-balancer"
  for_each        = local.balanced
  project         = module.platform.project
  service         = each.key
  regions         = each.value.regions
  domain          = each.value.domain
  dns_zone        = each.value.dns_zone
  security_policy = each.value.security_policy
  depends_on      = [module.cloud_run]
}

module "gke" {
  source               = "./modules/gke"
  count                = var.cluster == null ? 0 : 1
  project              = module.platform.project
  region               = var.location
  name                 = var.cluster.name
  autopilot            = var.cluster.autopilot
  administrators       = var.cluster.administrators
  release_channel      = var.cluster.release_channel
  arm_pool             = var.cluster.arm_pool
  default_pool         = var.cluster.default_pool
  repositories         = local.repositories
  binary_authorization = var.binary_authorization
  deletion_protection  = var.deletion_protection
}

module "slo" {
  source         = "./modules/slo"
  project        = module.platform.project
  project_number = data.google_project.this.number
  topic          = module.platform.topics["slo-alerts"]
  email          = var.alert_email
  services = {
    for name, service in var.services : name => merge(service.slo, {
      cloud_run = length(service.regions) > 0 ? name : null
      gateway = service.gateway == null ? null : {
        namespace = service.gateway.namespace
        service   = coalesce(service.gateway.service, name)
      }
    })
  }
}

module "console" {
  source         = "./modules/console"
  count          = var.console == null ? 0 : 1
  project        = module.platform.project
  project_number = data.google_project.this.number
  name           = var.name
  location       = var.location
  function       = module.orchestrator.function_names["console"]
  domain         = var.console.domain
  dns_zone       = var.console.dns_zone
  members        = var.console.members
}
