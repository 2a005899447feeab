# Plans and applies against mocked providers: no project, no credentials.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_service_account" {
    defaults = {
      id     = "projects/acme-test/serviceAccounts/slipway-x@acme-test.iam.gserviceaccount.com"
      name   = "projects/acme-test/serviceAccounts/slipway-x@acme-test.iam.gserviceaccount.com"
      email  = "slipway-x@acme-test.iam.gserviceaccount.com"
      member = "serviceAccount:slipway-x@acme-test.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function.test" } }
  }
}

mock_provider "archive" {}

variables {
  project     = "acme-test"
  policy_file = "examples/minimal/rollouts.yaml"
  services    = { hello = { regions = ["us-east4", "europe-west1"] } }
}

run "two_regions_and_nothing_on_gke" {
  command = apply

  assert {
    condition     = length(module.cloud_run["hello"].regions) == 2
    error_message = "expected one Cloud Run service per region"
  }

  assert {
    condition     = length(module.gke) == 0 && length(module.console) == 0 && !contains(keys(module.orchestrator.function_names), "console") && output.cluster == null
    error_message = "expected neither cluster nor console unless asked for"
  }

  assert {
    condition     = length(module.slo.slos) == 2 && length(module.slo.alert_policies) == 8
    error_message = "expected an SLO of availability and one of latency, with four alert policies each"
  }

  assert {
    condition     = startswith(output.urls["hello"], "http://")
    error_message = "expected plain HTTP without a domain"
  }

  assert {
    condition     = strcontains(output.next, "docker buildx build") && !strcontains(output.next, "kubectl")
    error_message = "expected the next commands, and none for a cluster that does not exist"
  }
}

run "records_may_be_elsewhere" {
  command = apply
  variables {
    database = { id = "slipway", location = "nam5" }
  }

  assert {
    condition     = local.database.location == "nam5" && strcontains(output.next, "SLIPWAY_STORE=firestore:slipway")
    error_message = "expected the database where it was asked for, and to be told how the command line finds it"
  }
}

run "a_domain_without_a_zone" {
  command = apply
  variables {
    services = { hello = { regions = ["us-east4"], domain = "hello.example.com" } }
    console  = { domain = "slipway.example.com", dns_zone = "example", members = [] }
  }

  assert {
    condition     = strcontains(output.next, "# Point hello.example.com to ") && !strcontains(output.next, "# Point slipway.example.com")
    error_message = "expected to be told of the one record that nobody makes"
  }

  assert {
    condition     = contains(local.apis, "dns.googleapis.com")
    error_message = "expected Cloud DNS to be enabled for the console's record"
  }
}

run "alerts_point_to_the_runbook" {
  command = apply
  variables {
    services = { hello = { regions = ["us-east4"], slo = { documentation_url = "https://example.com/runbook" } } }
  }

  assert {
    condition     = var.services["hello"].slo.documentation_url == "https://example.com/runbook"
    error_message = "expected the runbook of the service in its alerts"
  }
}

run "a_service_runs_somewhere" {
  command = plan
  variables {
    services = { hello = {} }
  }
  expect_failures = [var.services]
}

run "a_prefix_fits_into_account_names" {
  command = plan
  variables {
    name = "a-prefix-that-is-too-long"
  }
  expect_failures = [var.name]
}
