"""Which of skorch's tests do not pass with this package's classes, all of them on purpose."""

# By reason; a name without its parameters stands for all of them.
EXPECTED_FAILURES = {
    "NotFittedError, as scikit-learn has it, where skorch has NotInitializedError; it names the "
    "class, and so does what else tells a name": [
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_not_fitted_raises",
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_not_init_raises",
        "test_net.py::TestNeuralNet::test_not_fitted_raises",
        "test_net.py::TestNeuralNet::test_not_init_raises",
        "test_net.py::TestTrimForPrediction::test_trim_untrained_net_raises",
        "test_regressor.py::TestNeuralNetRegressor::test_not_fitted_raises",
        "test_regressor.py::TestNeuralNetRegressor::test_not_init_raises",
    ],
    "an estimator that was only initialised predicts nothing, since nothing was learnt": [
        "callbacks/test_training.py::TestTrainEndCheckpoint::test_train_end_with_load_init",
        "test_net.py::TestNeuralNet::test_multiouput_predict_proba",
        "test_net.py::TestNeuralNet::test_multioutput_predict",
        "test_net.py::TestNeuralNet::test_predict_nonlinearity_none",
        "test_net.py::TestNeuralNet::test_predict_nonlinearity_type_error",
        "test_net.py::TestNeuralNet::test_predict_with_dataset",
        "test_net.py::TestNeuralNet::test_predict_with_dataset_one_item_error",
        "test_net.py::TestNeuralNet::test_predict_with_dataset_three_items_error",
        "test_net.py::TestNeuralNet::test_save_load_state_dict_file",
        "test_net.py::TestNeuralNet::test_save_load_state_dict_str",
    ],
    "load_params reads the file first, which says how the network is made": [
        "test_net.py::TestNeuralNet::test_load_state_dict_not_init",
    ],
    "the repr is scikit-learn's": [
        "test_net.py::TestNeuralNet::test_repr_fitted_works",
        "test_net.py::TestNeuralNet::test_repr_initialized_works",
        "test_net.py::TestNeuralNet::test_repr_uninitialized_works",
    ],
    "a regressor has no predict_proba": [
        "test_regressor.py::TestNeuralNetRegressor::test_predict_predict_proba",
    ],
    "parameters of the network take effect in the next fit: made at once, a new network would "
    "take the place of the fitted one": [
        "test_net.py::TestNeuralNet::test_changing_model_reinitializes_optimizer",
        "test_net.py::TestNeuralNet::test_criteria_reinit_when_both_initialized_but_custom_criterion_changed",
        "test_net.py::TestNeuralNet::test_custom_criterion_is_init_when_default_criterion_already_is",
        "test_net.py::TestNeuralNet::test_custom_module_is_init_when_default_module_already_is",
        "test_net.py::TestNeuralNet::test_modules_reinit_when_both_initialized_but_custom_module_changed",
        "test_net.py::TestNeuralNet::test_reinitializing_module_optimizer_message[kwargs2-expected2]",
        "test_net.py::TestNeuralNet::test_reinitializing_module_optimizer_message[kwargs4-expected4]",
        "test_net.py::TestNeuralNet::test_reinitializing_module_optimizer_when_initialized_message[kwargs3-Re-initializing optimizer.]",
        "test_net.py::TestNeuralNet::test_reinitializing_module_optimizer_when_initialized_message[kwargs4-Re-initializing optimizer.]",
        "test_net.py::TestNeuralNet::test_set_params_on_custom_module_triggers_reinit_of_criterion_and_optimizer",
    ],
    "everything is tried before training: once more is a dataset or an iterator made, the network "
    "run, or a loss computed": [
        "callbacks/test_scoring.py::TestEpochScoring::test_with_caching_get_iterator_not_called[False-5]",
        "callbacks/test_scoring.py::TestEpochScoring::test_with_caching_get_iterator_not_called[True-2]",
        "callbacks/test_scoring.py::TestScoringCacheGlobalControl::test_net_overrides_caching",
        "test_net.py::TestMetadataRouting::test_fit_with_extra_params_and_routing",
        "test_net.py::TestMetadataRouting::test_partial_fit_with_extra_params_and_routing",
        "test_net.py::TestNeuralNet::test_criterion_training_set_correctly",
        "test_net.py::TestNeuralNet::test_fit_params_passed_to_module",
        "test_net.py::TestNeuralNet::test_fit_params_passed_to_module_in_pipeline",
        "test_net.py::TestNeuralNet::test_net_initialized_with_custom_dataset_args",
    ],
    "it is cast to its precision when it is made, by the method that also moves it": [
        "test_net.py::TestNeuralNet::test_optimizer_initialized_after_module_moved_to_device",
    ],
    "batches are sliced from datasets of this package, which are skorch's with more": [
        "callbacks/test_scoring.py::TestEpochScoring::test_net_input_is_scoring_input",
        "test_dataset.py::TestTrainSplitIsUsed",
        "test_net.py::TestNeuralNet::test_predefined_split",
    ],
    "a line of the history has more: the learning rate": [
        "callbacks/test_logging.py::TestPrintLog::test_first_row",
        "callbacks/test_logging.py::TestPrintLog::test_header",
        "callbacks/test_logging.py::TestPrintLog::test_lines",
        "callbacks/test_logging.py::TestPrintLog::test_with_additional_key",
        "callbacks/test_logging.py::TestPrintLog::test_with_event_key",
        "callbacks/test_logging.py::TestPrintLog::test_witout_valid_data",
        "callbacks/test_logging.py::TestTensorBoard::test_ignore_keys",
        "callbacks/test_logging.py::TestTensorBoard::test_keys_from_history_logged",
        "callbacks/test_logging.py::TestTensorBoard::test_other_key_mapper",
    ],
    "there is one callback more, which records the penalty": [
        "test_net.py::TestNeuralNet::test_callback_keeps_order",
    ],
    "the network is made by this package, and the test counts calls of skorch's method": [
        "callbacks/test_training.py::TestInputShapeSetter::test_no_module_reinit_partial_fit",
        "callbacks/test_training.py::TestInputShapeSetter::test_no_module_reinit_when_already_correct",
    ],
    "weights are written by this package, with the classes and the shape of X, and the test counts "
    "calls of skorch's method": [
        "callbacks/test_training.py::TestCheckpoint::test_none_monitor_saves_always",
        "callbacks/test_training.py::TestCheckpoint::test_outputs_to_sink_when_save_params_errors[Unable to save module state to params.pt, Exception: encoding error-files0]",
        "callbacks/test_training.py::TestCheckpoint::test_save_all_targets",
        "callbacks/test_training.py::TestCheckpoint::test_save_all_targets_with_prefix",
        "callbacks/test_training.py::TestCheckpoint::test_save_all_targets_with_prefix_and_dirname",
        "callbacks/test_training.py::TestCheckpoint::test_string_monitor_and_formatting",
        "callbacks/test_training.py::TestCheckpoint::test_warnings_when_monitor_appears_in_history",
        "callbacks/test_training.py::TestTrainEndCheckpoint::test_saves_at_end",
        "callbacks/test_training.py::TestTrainEndCheckpoint::test_saves_at_end_with_custom_formatting",
    ],
    "the message says more": [
        "callbacks/test_training.py::TestCheckpoint::test_default_without_validation_raises_meaningful_error",
        "callbacks/test_training.py::TestInputShapeSetter::test_one_dimensional_x_raises",
        "test_classifier.py::TestNeuralNet::test_pass_empty_classes_raises",
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_module_output_2d_raises",
        "test_net.py::TestNeuralNet::test_fit_with_dataset_one_item_error",
        "test_net.py::TestNeuralNet::test_fit_with_dataset_three_items_error",
        "test_net.py::TestNeuralNet::test_net_initialized_with_initalized_dataset_and_kwargs_raises",
    ],
    "a column of labels is one label for each sample": [
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_target_2d_raises",
    ],
    "every sample has one label": [
        "test_net.py::TestNeuralNet::test_net_variable_label_lengths",
        "test_net.py::TestNeuralNet::test_net_variable_prediction_lengths",
    ],
    "there is no training without y": [
        "test_dataset.py::TestNetWithoutY::test_net_1d_custom_loader",
        "test_dataset.py::TestNetWithoutY::test_net_2d_custom_loader",
    ],
    "labels are read from a Dataset where y is not passed": [
        "test_classifier.py::TestNeuralNet::test_error_when_classes_could_not_be_inferred",
        "test_net.py::TestNeuralNet::test_fit_with_dataset_stratified_without_explicit_y_raises",
    ],
    "a network has as many outputs as there are classes": [
        "callbacks/test_scoring.py::TestPassthrougScoring::test_correct_train_pass_through_scores",
        "callbacks/test_scoring.py::TestPassthrougScoring::test_correct_valid_pass_through_scores",
        "test_classifier.py::TestNeuralNet::test_classes_are_set_with_tensordataset_explicit_y",
        "test_classifier.py::TestNeuralNet::test_classes_are_set_with_tensordataset_implicit_y",
        "test_classifier.py::TestNeuralNet::test_classes_data_torch_tensor",
        "test_classifier.py::TestNeuralNet::test_classes_with_gaps",
        "test_classifier.py::TestNeuralNet::test_non_binary_classes_set_by_default",
    ],
    "labels are among the classes that are named": [
        "test_classifier.py::TestNeuralNet::test_pass_classes_explicitly_overrides",
    ],
    "a list is an array, and a DataFrame a table, as in scikit-learn; several inputs are a dict": [
        "test_dataset.py::TestNetWithList::test_fit_predict_proba",
        "test_dataset.py::TestNetWithPandas::test_fit_predict_proba",
    ],
    "the shapes of predictions and targets of one number are made the same, so that there is "
    "nothing to warn of": [
        "test_regressor.py::TestNeuralNetRegressor::test_dimension_mismatch_warning",
    ],
    "callbacks are refused that are none": [
        "test_net.py::TestNeuralNet::test_callback_on_grad_computed",
        "test_net.py::TestNeuralNet::test_no_grad_during_validation",
    ],
    "devices are refused that are none": [
        "test_net.py::TestNeuralNet::test_moving_custom_modules_to_device",
        "test_net.py::TestNeuralNet::test_set_params_on_custom_module_preserves_its_device",
    ],
    "what makes predictions returns a row for each sample": [
        "test_net.py::TestNeuralNet::test_predict_nonlinearity_called_with_predict",
        "test_net.py::TestNeuralNet::test_predict_nonlinearity_called_with_predict_proba",
    ],
    "the more probable class is predicted; sklearn.model_selection.FixedThresholdClassifier has "
    "other thresholds": [
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_predict_predict_proba[0.25]",
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_predict_predict_proba[0.75]",
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_predict_predict_proba[0]",
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_predict_predict_proba[1]",
    ],
    "the sigmoid is the tensor's method": [
        "test_classifier.py::TestNeuralNetBinaryClassifier::test_default_loss_does_call_sigmoid",
    ],
    "what is trimmed keeps its parameters, so that its clones can be fitted": [
        "test_net.py::TestTrimForPrediction::test_callbacks_trimmed",
        "test_net.py::TestTrimForPrediction::test_criteria_trimmed",
        "test_net.py::TestTrimForPrediction::test_optimizer_trimmed",
        "test_net.py::TestTrimForPrediction::test_train_iterator_trimmed",
    ],
    "training data are shuffled": [
        "test_doctor.py::TestSkorchDoctorSimple::test_activation_recs_values",
    ],
    "initialize_module sets module_, the network that is compared; others may be beside it": [
        "test_doctor.py::TestSkorchDoctorComplexArchitecture",
    ],
}

# By reason; a name stands for all that begin with it.
LEFT_OUT = {
    "they open fixed ports, for which two runs on a machine would fight, and fit nothing": [
        "test_history.py::TestDistributedHistoryMultiprocessing",
        "test_history.py::TestHistory",
    ],
    "the files that they read are in skorch's repository only": [
        "test_net.py::TestNeuralNet::test_load_cuda_params_to_cpu",
        "test_net.py::TestNeuralNet::test_pickle_load",
    ],
    "which epoch is the best depends on the order of the samples, which is drawn": [
        "callbacks/test_training.py::TestEarlyStopping::test_typical_use_case_nonstop",
        "callbacks/test_training.py::TestEarlyStopping::test_weights_restore",
    ],
    "they compile by a C++ compiler for a minute, which a slow test does once": [
        "test_net.py::TestTorchCompile",
    ],
}

# Tests whose networks return scores, of which NLLLoss takes the logarithm in skorch, silently NaN.
RETURN_SCORES = [
    "callbacks/test_training.py::TestInputShapeSetter",
    "callbacks/test_training.py::TestParamMapper::test_freezing_is_effective",
    "test_net.py::TestMetadataRouting",
    "test_net.py::TestNeuralNet::test_data_dict_and_fit_params",
    "test_net.py::TestNeuralNet::test_fit_params_passed_to_module",
    "test_net.py::TestNeuralNet::test_fit_params_passed_to_train_split",
    "test_net.py::TestNeuralNet::test_with_initialized_module_other_params",
]
