package token

import (
	"strings"
	"testing"
)

// Names like ours are typing errors, and those of other programs are not.
func TestMistyped_NameLikeOurs_IsRefused(t *testing.T) {
	for _, name := range []string{"alow", "allwo", "alllow", "Allows", "allowed", "farwire_allow", "farwireAllow", "allow_list",
		"allowed_hosts", "allowedTargets", "allowURLs", "allow~hosts", "allowlist", "allow-only", "alow_hosts", "a_llow", "https://farwire.example/allow", "farwire_allowed_origins",
		"deny", "deni", "dney", "denylist", "deny-hosts", "denied", "deny_urls", "kind", "knids", "kins", "farwire.kinds", "session_kinds",
		"limit", "limts", "limits_v2", "limit_sessions", "key-limits"} {
		if known(name, claims) || !closes(name) {
			t.Errorf("%q is let pass", name)
		}
	}
	for _, name := range claims {
		if !known(name, claims) {
			t.Errorf("%q is not known", name)
		}
	}
}

// What identity providers put into their tokens, and what the registry of claims (IANA) has,
// mean nothing here. A program that signs a token for farwire may copy them into it.
func TestMistyped_ClaimsOfIdentityProviders_Pass(t *testing.T) {
	for who, names := range map[string]string{
		"Keycloak": "typ azp session_state acr allowed-origins realm_access resource_access scope sid email_verified name preferred_username " +
			"given_name family_name email upn auth_time at_hash not-before-policy trusted-certs authorization client_host clientHost clientAddress client_id " +
			"organization",
		"Auth0":   "azp gty scope permissions org_id org_name nonce https://example.com/roles https://example.com/email updated_at picture nickname amr",
		"Okta":    "ver cid uid scp auth_time idp amr groups at_hash preferred_username zoneinfo locale",
		"Cognito": "cognito:groups cognito:roles cognito:preferred_role cognito:username origin_jti event_id token_use device_key username version client_id custom:tenant identities",
		"Entra": "aio appid appidacr acr acrs acct amr azp azpacr c_hash ctry deviceid email family_name fwd given_name groups hasgroups idp idtyp in_corp ipaddr login_hint " +
			"name nonce oid onprem_sid platf preferred_username puid pwd_exp pwd_url rh roles scp sid signin_state tenant_ctry tenant_region_scope tid unique_name upn uti ver " +
			"verified_primary_email verified_secondary_email vnet wids xms_cc xms_ftd xms_idrel xms_mirid xms_pdl xms_pl xms_st xms_tcdt xms_tpl extension_role tfp newUser _claim_names _claim_sources",
		"Google, Firebase": "azp hd email email_verified at_hash name picture given_name family_name locale google firebase user_id auth_time provider_id sign_in_provider identity_nonce",
		"Supabase, Hasura": "app_metadata user_metadata role aal amr session_id is_anonymous phone https://hasura.io/jwt/claims x-hasura-allowed-roles x-hasura-default-role x-hasura-user-id",
		"GitHub, GitLab": "actor actor_id base_ref environment event_name head_ref job_workflow_ref job_workflow_sha ref ref_protected ref_type repository repository_id repository_owner " +
			"repository_visibility run_attempt run_id run_number runner_environment sha workflow workflow_ref enterprise namespace_id namespace_path project_id project_path " +
			"pipeline_id pipeline_source job_id environment_protected environment_action deployment_tier user_login user_access_level groups_direct ci_config_ref_uri",
		"Kubernetes, Apple, others": "kubernetes.io nonce_supported real_user_status is_private_email urn:zitadel:iam:org:project:roles federated_claims entitlements " +
			"ext video sip country type identity common_name applicationId tty authenticationType tid",
		"IANA": "rdap_allowed_purposes rdap_dnt_allowed act may_act authorization_details verified_claims cnf sub_jwk vot vtm attest origid dest orig mky rph div opt vc vp sph " +
			"ace_profile cnonce exi roles token_introspection eat_nonce ueid sueids oemid hwmodel dbgstat location eat_profile submods uptime bootcount bootseed dloas manifests measurements " +
			"measres intuse cdniv cdnicrit cdniip cdniuc cdniets cdnistt cdnistd sig_val_claims place_of_birth nationalities msisdn also_known_as htm htu ath atc sub_id rcd rcdi crn " +
			"gender birthdate zoneinfo locale phone_number phone_number_verified address middle_name nickname profile picture website toe txn events trust_framework",
		"other things": "rate_limit_tier credit_limit_currency time_limit_policy denial_reason mankind kindergarten shallow demo owner tenant allwu alluo allwoz aow",
	} {
		for _, name := range strings.Fields(names) {
			if closes(name) {
				t.Errorf("%s: %q is refused", who, name)
			}
		}
	}
}
